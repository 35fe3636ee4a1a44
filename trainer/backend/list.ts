/** What backends are here, what each needs, and how fast each one is on this machine. */
import { type ProbeResult, probe } from './child/probe.ts';
import { PINS, type TensorFlowBackend } from './pins.ts';
import { BACKENDS, type BackendName, takeInventory } from './select.ts';

export interface BackendStatus {
  backend: BackendName;
  present: boolean;
  /** What it needs that the repository does not bring. */
  needs: string;
  /** Folder of its package; absent for `onnx`, which comes with the repository. */
  folder?: string;
  library?: string;
  device?: string;
  /** Images trained a second on the net that child/net.ts describes. */
  imagesPerSecond?: number;
  /** Why it is not present, or how it failed when tried. */
  problem?: string;
}

export interface ListOptions {
  /** Cache folder, from `cacheFolder`. */
  cache: string;
  environment: Readonly<Record<string, string | undefined>>;
  /** How long each backend trains, seconds; start-up and warming up come on top. */
  seconds: number;
  signal?: AbortSignal | undefined;
}

/** Tries every backend, one after the other so that they do not share the processor, each in its own process. */
export async function listBackends(options: ListOptions): Promise<BackendStatus[]> {
  const { packages } = takeInventory(options.cache);
  const list: BackendStatus[] = [];
  for (const backend of BACKENDS) {
    const found = backend === 'onnx' ? undefined : packages[backend];
    const status = { backend, needs: needs(backend) };
    if (found !== undefined && 'missing' in found) {
      list.push({ ...status, present: false, problem: found.missing });
      continue;
    }
    const folder = found === undefined ? {} : { folder: found.folder };
    const result = await probe({ backend, ...folder, seconds: options.seconds }, options);
    const outcome: ProbeResult | { problem: string } =
      'failed' in result ? { problem: result.failed } : result;
    list.push({ ...status, present: true, ...folder, ...outcome });
  }
  return list;
}

/** The list as lines of text for a terminal. */
export function formatBackends(list: readonly BackendStatus[]): string {
  return list.map(formatBackend).join('\n');
}

function formatBackend(status: BackendStatus): string {
  const { backend, present, needs, folder, library, device, imagesPerSecond, problem } = status;
  const name = backend.padEnd(14);
  const indent = `\n${' '.repeat(15)}`;
  if (!present) {
    return `${name} ${problem}; needs ${needs}${indent}\`trainer backend install ${backend}\``;
  }
  const where = folder === undefined ? 'comes with the repository' : folder;
  if (problem !== undefined) return `${name} does not run: ${problem}${indent}${where}`;
  const speed = imagesPerSecond === undefined ? '' : `, trains ${imagesPerSecond.toFixed(1)} images/s`;
  return `${name} ${library} on the ${device}${speed}${indent}${where}`;
}

function needs(backend: BackendName): string {
  if (backend === 'onnx') return 'nothing more';
  const { download, disk } = PINS[backend satisfies TensorFlowBackend];
  const tools = `Linux on x86-64, npm, python3 with pip, g++, a download of ${download} MB, ${disk} MB of disk`;
  return backend === 'tfjs-node-gpu' ? `${tools}, and for the GPU an NVIDIA driver for CUDA 12` : tools;
}
