/** One capture from file to score: read, decode, run the graph. Everything that can go wrong has a reason code. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { Manifest } from '../../config/bundle.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { decode } from './decode.ts';
import { evidenceOf } from './evidence.ts';
import { proveGolden } from './golden.ts';
import { type Inspection, type Limits, UnscorableError } from './inspection.ts';
import { type ExecutionProvider, openScorer, type Scorer, type Scores } from './score.ts';

export interface Inspector {
  readonly bundle: Bundle;
  readonly scorer: Scorer;
  /** Inspects the file, named by text or by bytes; never throws for what is wrong with the file. */
  inspect(file: string | Buffer): Promise<Inspection>;
  /** As `inspect`, of the content of an image that is no file of its own. */
  inspectBytes(bytes: Uint8Array): Promise<Inspection>;
  /** As `inspect` or `inspectBytes`, with the graph's other outputs and the pixels that it saw. */
  inspectWithMap(source: string | Uint8Array): Promise<Inspected>;
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
  const file = (path: string | Buffer) => read(path, options.limits);
  const content = (bytes: Uint8Array) => within(bytes, options.limits);
  const inspected = async (load: () => Promise<Uint8Array> | Uint8Array): Promise<Inspected> => {
    let bytes: Uint8Array = new Uint8Array();
    let sha256: string | null = null;
    try {
      const start = performance.now();
      bytes = await load();
      sha256 = createHash('sha256').update(bytes).digest('hex');
      const decoded = await decode(bytes, bundle.manifest.preprocessing, options.limits);
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
        bytes: bytes.length,
        sha256,
        ...(measures(bundle.manifest) && { evidence: evidenceOf(scores, bundle.manifest) }),
      } as const;
      return { inspection, scores, pixels };
    } catch (error) {
      if (!(error instanceof UnscorableError)) throw error;
      const { reason, message } = error;
      return { inspection: { outcome: 'unscorable', reason, message, bytes: bytes.length, sha256 } };
    }
  };
  return {
    bundle,
    scorer,
    inspectWithMap: (source) =>
      inspected(() => (typeof source === 'string' ? file(source) : content(source))),
    inspect: async (path) => (await inspected(() => file(path))).inspection,
    inspectBytes: async (bytes) => (await inspected(() => content(bytes))).inspection,
    close: () => scorer.close(),
  };
}

function measures({ voices, statistics }: Manifest): boolean {
  return voices !== undefined || statistics !== undefined;
}

/**
 * Reads a regular file of at most `limits.bytes`. O_NONBLOCK: opening a named pipe must not wait for a writer. Not in
 * another thread: four changes of thread take longer than to read a capture that was just written.
 */
async function read(file: string | Buffer, limits: Limits): Promise<Uint8Array<ArrayBuffer>> {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new UnscorableError('not-a-file', 'A folder, socket or device, not a file.');
    if (stat.size > limits.bytes) throw tooLarge(stat.size, limits);
    const bytes = new Uint8Array(stat.size);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled);
      if (count === 0) break; // shrank meanwhile
      filled += count;
    }
    return bytes.subarray(0, filled);
  } catch (error) {
    if (error instanceof UnscorableError) throw error;
    throw await readFailure(file, error as NodeJS.ErrnoException);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function within(bytes: Uint8Array, limits: Limits): Uint8Array {
  if (bytes.length > limits.bytes) throw tooLarge(bytes.length, limits);
  return bytes;
}

const tooLarge = (size: number, limits: Limits): UnscorableError =>
  new UnscorableError('too-large', `The file has ${size} bytes; limits.bytes allows ${limits.bytes}.`);

async function readFailure(file: string | Buffer, cause: NodeJS.ErrnoException): Promise<UnscorableError> {
  if (cause.code === 'ENOENT') {
    const link = await lstat(file).then(
      (s) => s.isSymbolicLink(),
      () => false,
    );
    return link
      ? new UnscorableError('dangling-link', 'A symbolic link leads nowhere.', { cause })
      : new UnscorableError('vanished', 'The file disappeared before it could be read.', { cause });
  }
  if (cause.code === 'ENXIO')
    return new UnscorableError('not-a-file', 'A socket or device, not a file.', { cause });
  return new UnscorableError(
    'unreadable',
    `Reading the file failed (${cause.code}). Check the permissions.`,
    { cause },
  );
}
