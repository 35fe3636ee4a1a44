/** What the agent says and hears over MQTT beside verdicts: topics and payloads. */
import { z } from 'zod';
import { settableRule, threshold } from './threshold.ts';

/** Topic level: no `/`, `+`, `#`, NUL or whitespace at the ends. */
export const topicLevel = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9_.:-]+$/, 'letters, digits, and _ . : - only');

export interface Topics {
  readonly state: string;
  readonly info: string;
  readonly health: string;
  readonly verdict: string;
  readonly gap: string;
  readonly desired: string;
  readonly reported: string;
}

/** Topics of one device: `<root>/v1/<site>/<device>/...`. */
export function topics(root: string, site: string, device: string): Topics {
  const base = `${root}/v1/${site}/${device}`;
  return {
    state: `${base}/state`,
    info: `${base}/info`,
    health: `${base}/health`,
    verdict: `${base}/verdict`,
    gap: `${base}/gap`,
    desired: `${base}/config/desired`,
    reported: `${base}/config/reported`,
  };
}

const instant = z.iso.datetime();

/** Conditions that need somebody's attention while the agent runs. */
export const ALERTS = {
  'watch-missing': 'The watched folder is missing or unreadable.',
  'watch-degraded': 'File events are not available; the folder is swept instead.',
  'disk-full': 'The state folder has no space left; scoring waits.',
  'ledger-failing': 'The ledger cannot be read or written; what needs it waits.',
  'ledger-rebuilt':
    'The ledger was damaged, and a new one made of what could be read; or it lacks verdicts that were given, as after it was deleted or restored from an older copy.',
  'scorer-failing': 'The scoring process does not start; captures wait.',
  'delivery-refused': 'The broker refuses verdicts or gaps; they are kept and sent again.',
} as const;

export type Alert = keyof typeof ALERTS;

/** `state`: retained; `lost` is the last will. */
export const state = z.object({
  schema: z.literal('plumbline/state/1'),
  state: z.enum(['starting', 'ready', 'alert', 'stopping', 'lost']),
  alerts: z.array(
    z.object({
      code: z.enum(Object.keys(ALERTS) as [Alert, ...Alert[]]),
      message: z.string(),
      since: instant,
    }),
  ),
  at: instant.nullable().describe('null in the last will: the broker says it, not the agent.'),
});
export type State = z.infer<typeof state>;

/** `info`: retained; what runs here. */
export const info = z.object({
  schema: z.literal('plumbline/info/1'),
  agent: z.string(),
  node: z.string(),
  platform: z.string(),
  executionProvider: z.string(),
  startedAt: instant,
  model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
  threshold,
  ledger: z
    .object({
      schemaVersion: z.int(),
      rebuiltAt: instant.nullable(),
      setAside: z.string().nullable().describe('Folder within the state folder that holds the damaged one.'),
    })
    .describe('The record on disk, and when it was last made anew because it was damaged; null: never.'),
});
export type Info = z.infer<typeof info>;

/** `health`: retained, with expiry. */
export const health = z.object({
  schema: z.literal('plumbline/health/1'),
  at: instant,
  uptimeSeconds: z.number(),
  queued: z.int().describe('Settled files that wait for a score; one of several frames counts once.'),
  unsettled: z.int().describe('Files that are still being written.'),
  outbox: z.int().describe('Verdicts that wait for the broker.'),
  verdicts: z
    .object({ pass: z.int(), review: z.int(), unscorable: z.int() })
    .describe('Since the ledger began.'),
  lastVerdictAt: instant.nullable(),
  diskFreeBytes: z.number(),
  residentBytes: z.number().describe('Main process; scorers not counted.'),
  scorerRestarts: z.int(),
});
export type Health = z.infer<typeof health>;

/** Why verdicts do not come. */
export const GAP_REASONS = {
  'outbox-bytes': 'More waited for the broker than outbox.bytes allows: the oldest were dropped.',
  'outbox-age': 'They waited for the broker for longer than outbox.age.',
  'ledger-rebuilt':
    'The ledger was damaged, deleted or restored from an older copy: what it lacks is judged again where the file still stands, with another seq, and with the same id where the verdict is the same.',
} as const;

export type GapReason = keyof typeof GAP_REASONS;

/** `gap`: not retained; numbers that may never come as verdicts. */
export const gap = z.object({
  schema: z.literal('plumbline/gap/1'),
  first: z.int().min(1).describe('The first `seq`; numbers in between may have come.'),
  last: z.int().min(1),
  verdicts: z.int().nullable().describe('How many were dropped; null: unknown.'),
  reason: z.enum(Object.keys(GAP_REASONS) as [GapReason, ...GapReason[]]),
  at: instant.describe('When they were dropped.'),
});
export type Gap = z.infer<typeof gap>;

/** `config/desired`: what an operator wants. */
export const desired = z.strictObject({
  id: z.string().min(1).max(100).describe('Chosen by the sender; comes back in config/reported.'),
  threshold: settableRule,
});
export type Desired = z.infer<typeof desired>;

/** `config/reported`: retained; what was done about it, and what holds now. */
export const reported = z.object({
  schema: z.literal('plumbline/reported/1'),
  id: z
    .string()
    .nullable()
    .describe('Id of the desired settings this answers; null: changed by file or at start.'),
  outcome: z.enum(['applied', 'unchanged', 'refused']),
  reason: z.string().nullable().describe('Why it was refused.'),
  source: z.enum(['bundle', 'file', 'mqtt']),
  threshold,
  calibrationReview: z
    .number()
    .min(0)
    .max(1)
    .describe('Share of the calibration images, all of them good, that this threshold calls for review.'),
  note: z
    .string()
    .nullable()
    .describe('What follows from a threshold that calls all or none of the calibration images, in words.'),
  at: instant,
});
export type Reported = z.infer<typeof reported>;
