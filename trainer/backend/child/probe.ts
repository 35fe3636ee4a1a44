/** Tries one backend in a process of its own, so that a crash of native code harms nothing else. */
import { fileURLToPath } from 'node:url';
import { runCommand } from '../command.ts';
import type { BackendName } from '../select.ts';

/** What the child is asked to do, as JSON in its one argument. */
export interface ProbeRequest {
  backend: BackendName;
  /** Folder of the package; absent for `onnx`. */
  folder?: string;
  /** How long to measure the training speed; 0 only checks that it computes and learns. */
  seconds: number;
}

export interface ProbeResult {
  library: string;
  device: string;
  /** Images trained a second on the net and batch that child/net.ts names; absent when not measured. */
  imagesPerSecond?: number;
}

/** The child's last line. `failed` says why there is no result. */
export type ProbeAnswer = ProbeResult | { failed: string };

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Runs the child to its end. What goes wrong in it, a crash included, comes back as `failed`. */
export async function probe(
  request: ProbeRequest,
  options: { environment: Readonly<Record<string, string | undefined>>; signal?: AbortSignal | undefined },
): Promise<ProbeAnswer> {
  // TensorFlow's notes on start-up (level 0 and 1) would drown its warnings and errors.
  const environment = { TF_CPP_MIN_LOG_LEVEL: '2', ...options.environment };
  try {
    const output = await runCommand(process.execPath, [MAIN, JSON.stringify(request)], {
      ...options,
      environment,
    });
    return JSON.parse(output.trimEnd().split('\n').at(-1)!) as ProbeAnswer;
  } catch (error) {
    options.signal?.throwIfAborted();
    return { failed: (error as Error).message };
  }
}
