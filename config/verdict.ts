/** One verdict: what the agent says about one capture, on disk and over MQTT. */
import { z } from 'zod';
import { evidence, MOST_EVIDENCE } from './evidence.ts';

/** Reasons beside a verdict. `unscorable` always has one; `review` says on which side; `pass` has none. */
export const REASONS = {
  'above-threshold': 'The score lies above the threshold.',
  'below-threshold': 'The score lies below the lower threshold.',
  empty: 'The file holds no bytes.',
  truncated: 'The file ends before its image is complete.',
  corrupt: 'The decoder rejects the content.',
  'unsupported-format': 'The content is no image format that the agent reads.',
  'no-pixels': 'A DICOM file without an image: a report, a plan, a waveform.',
  'too-many-pixels': 'The image has more pixels than limits.pixels allows.',
  'too-many-frames': 'A DICOM file has more frames than limits.frames allows.',
  'too-large': 'The file has more bytes than limits.bytes allows.',
  'not-a-file': 'A folder, socket or device carries the name of an image.',
  'too-deep': 'A folder lies deeper than limits.depth allows; what is in it is not judged.',
  'dangling-link': 'A symbolic link leads nowhere.',
  unreadable: 'The agent is not permitted to read the file, or reading failed.',
  vanished: 'The file disappeared before it could be read.',
  'changed-while-reading': 'The file changed while it was read; its new version gets a verdict of its own.',
  'decoding-timeout': 'Reading and decoding took longer than limits.decoding allows.',
  'out-of-memory': 'Decoding and scoring needed more memory than limits.memory allows.',
  timeout: 'Decoding and scoring took longer than limits.scoring.',
  'scorer-crashed': 'The scoring process died on this file twice.',
} as const;

export type Reason = keyof typeof REASONS;
const reasons = Object.keys(REASONS) as [Reason, ...Reason[]];

/** Reasons for which a capture cannot be scored. */
export type UnscorableReason = Exclude<Reason, 'above-threshold' | 'below-threshold'>;

export const verdictWord = z.enum(['pass', 'review', 'unscorable']);
export type VerdictWord = z.infer<typeof verdictWord>;

const instant = z.iso.datetime().describe('UTC, ISO 8601 with milliseconds.');

export const verdict = z
  .object({
    schema: z.literal('plumbline/verdict/1'),
    id: z
      .uuid()
      .describe('The same for every repeat of one record, and never of another verdict: deduplicate by it.'),
    seq: z.int().min(1).describe('Counts up by one per record of this device; a jump shows a gap.'),
    revision: z
      .int()
      .min(1)
      .describe('Counts the verdicts on one capture: above 1 it was judged again because somebody asked.'),
    supersedes: z
      .uuid()
      .nullable()
      .describe('Id of the verdict on the same capture that this one replaces; null in revision 1.'),
    site: z.string(),
    device: z.string(),
    image: z.object({
      ref: z
        .string()
        .regex(/^[0-9a-f]{32}$/)
        .describe(
          'Keyed hash of the name within the watched folder (HMAC-SHA-256 under the site key, 128 bits).',
        ),
      bytes: z.int().min(0),
      width: z.int().nullable().describe('Pixels, as stored; null when not decoded.'),
      height: z.int().nullable(),
      format: z.string().nullable().describe('By content: jpeg, png, tiff, webp, gif, dicom, ...'),
      frame: z
        .int()
        .min(1)
        .optional()
        .describe(
          'Which frame of a DICOM file of several, each of which is a capture with verdicts of its own; absent for the only image of a file, and for a file that cannot be opened.',
        ),
    }),
    verdict: verdictWord,
    score: z.number().nullable().describe('Larger is more anomalous; null when unscorable.'),
    p: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .describe(
        '(1 + calibration scores at least as large) / (n + 1): how rare such a score is among good images.',
      ),
    threshold: z.object({
      value: z.number().describe('Scores above this are called for review.'),
      lower: z.number().nullable(),
      rule: z.string(),
      revision: z.int().min(1),
    }),
    reason: z.enum(reasons).nullable(),
    message: z.string().nullable().describe('The reason in words; never a file name.'),
    evidence: z
      .array(evidence)
      .max(MOST_EVIDENCE)
      .optional()
      .describe(
        'What about the image is rare among good ones, strongest first; may be empty. Absent when unscorable, and of bundles that measure nothing beside the score.',
      ),
    model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
    capturedAt: instant.describe('Modification time of the file.'),
    scoredAt: instant,
    milliseconds: z.object({
      decode: z.number().nullable(),
      score: z.number().nullable(),
    }),
  })
  .describe(
    'Verdict on one capture. A capture is a version of a file (name, size, modification time), or one frame of it where the file is a DICOM file of several.',
  );

export type Verdict = z.infer<typeof verdict>;
