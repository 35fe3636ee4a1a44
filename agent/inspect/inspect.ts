/** One capture from file to score: read, decode, run the graph. Everything that can go wrong has a reason code. */
import type { Manifest } from '../../config/bundle.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { decodeCapture, type OpenImage, openImage } from './decode.ts';
import { evidenceOf } from './evidence.ts';
import { proveGolden } from './golden.ts';
import { type Inspection, type Limits, UnscorableError } from './inspection.ts';
import { type Content, givenContent, readContent, versionAt } from './read.ts';
import { type ExecutionProvider, openScorer, type Scorer, type Scores } from './score.ts';

export interface Inspector {
  readonly bundle: Bundle;
  readonly scorer: Scorer;
  /**
   * Inspects the file, named by text or by bytes; never throws for what is wrong with the file.
   * @param frame which of its captures, from 1, the default; how many there are is told by the inspection of each.
   */
  inspect(file: string | Buffer, frame?: number): Promise<Inspection>;
  /** As `inspect`, of the content of an image that is no file of its own. */
  inspectBytes(bytes: Uint8Array): Promise<Inspection>;
  /** As `inspect` or `inspectBytes`, with the graph's other outputs and the pixels that it saw. */
  inspectWithMap(source: string | Uint8Array, frame?: number): Promise<Inspected>;
  close(): Promise<void>;
}

export interface Inspected {
  readonly inspection: Inspection;
  readonly scores?: Scores;
  readonly pixels?: Uint8Array;
}

/**
 * Loads a bundle, verifies it, proves its golden samples on this device and warms up.
 * @throws BundleError when the bundle is refused.
 */
export async function loadInspector(options: {
  readonly bundlePath: string;
  readonly executionProvider: ExecutionProvider;
  readonly threads: number;
  readonly limits: Limits;
  /** Called for each file or content between decoding and the graph. */
  readonly onDecoded?: () => void;
}): Promise<Inspector> {
  const bundle = await readBundle(options.bundlePath);
  const scorer = await openScorer(bundle, options);
  await proveGolden(bundle, scorer); // also warms up
  const { limits } = options;
  const spec = bundle.manifest.preprocessing;
  /** The last file where it has captures behind the last one: they need not read it again. */
  let held: { readonly content: Content; readonly image: OpenImage } | null = null;
  const file = async (path: string | Buffer, frame: number) => {
    if (held !== null && (frame === 1 || held.content.version !== (await versionAt(path)))) held = null;
    return held?.content ?? readContent(path, limits);
  };
  const inspected = async (load: () => Promise<Content> | Content, frame: number): Promise<Inspected> => {
    let content: Content | null = null;
    let frames: number | null = null;
    try {
      const start = performance.now();
      content = await load();
      const image = held?.content === content ? held.image : await openImage(content.bytes, spec, limits);
      frames = image.captures;
      held = content.version !== null && frame < frames ? { content, image } : null;
      const decoded = await decodeCapture(image, spec, frame);
      const middle = performance.now();
      options.onDecoded?.();
      const scores = await scorer.score(decoded.pixels, 1);
      const score = scores.score[0]!;
      if (!Number.isFinite(score)) throw new UnscorableError('corrupt', `The graph gave ${score} as score.`);
      const { pixels, width, height, format } = decoded;
      const milliseconds = { decode: middle - start, score: performance.now() - middle };
      const inspection = {
        outcome: 'scored',
        score,
        width,
        height,
        format,
        milliseconds,
        bytes: content.bytes.length,
        sha256: content.sha256,
        frames,
        ...(measures(bundle.manifest) && { evidence: evidenceOf(scores, bundle.manifest) }),
      } as const;
      return { inspection, scores, pixels };
    } catch (error) {
      if (!(error instanceof UnscorableError)) throw error;
      const { reason, message } = error;
      const read = { bytes: content?.bytes.length ?? 0, sha256: content?.sha256 ?? null };
      return { inspection: { outcome: 'unscorable', reason, message, ...read, frames } };
    }
  };
  return {
    bundle,
    scorer,
    inspectWithMap: (source, frame = 1) =>
      inspected(
        () => (typeof source === 'string' ? file(source, frame) : givenContent(source, limits)),
        frame,
      ),
    inspect: async (path, frame = 1) => (await inspected(() => file(path, frame), frame)).inspection,
    inspectBytes: async (bytes) => (await inspected(() => givenContent(bytes, limits), 1)).inspection,
    close: () => scorer.close(),
  };
}

function measures({ voices, statistics }: Manifest): boolean {
  return voices !== undefined || statistics !== undefined;
}
