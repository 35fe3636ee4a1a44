/** Chooses what TensorFlow.js trains on: TensorFlow's C library where it is installed, else onnxruntime. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { nearest } from '../../config/nearest.ts';
import manifest from '../../convert/package.json' with { type: 'json' };
import { BackendError } from './error.ts';
import { type FoundPackage, findPackage, type MissingPackage } from './find.ts';
import { PINS, type TensorFlowBackend } from './pins.ts';
import { loadTensorFlow } from './tensorflow.ts';

/**
 * Best first: a GPU, then the fastest on a CPU as measured by `npm run bench -- training`. `onnx` is part of the
 * repository and always there, so that `tfjs-node` is taken only by name.
 */
export const BACKENDS = ['tfjs-node-gpu', 'onnx', 'tfjs-node'] as const;

export type BackendName = (typeof BACKENDS)[number];

export interface SelectOptions {
  /** A backend by name, or `auto` for the best one that is here. */
  wanted: BackendName | 'auto';
  /** Cache folder of installed backends, from `cacheFolder`. */
  cache: string;
  /**
   * Threads of one kernel for `onnx`; as many as this machine runs at once when left out. TensorFlow takes them from
   * the environment (`TF_NUM_INTRAOP_THREADS`, `OMP_NUM_THREADS`) when it starts, and from nowhere else.
   */
  threads?: number | undefined;
}

export interface SelectedBackend {
  wanted: BackendName | 'auto';
  got: BackendName;
  /** Why this one, and why none of the better ones; one sentence without a full stop. */
  why: string;
  /** Where kernels run: `CPU` or `GPU`. */
  device: string;
  /** The library under it, such as "TensorFlow 2.13.1". */
  library: string;
  /** The trainer's own tfjs-core, with this backend current. */
  tf: typeof tf;
}

/** One backend that may be tried, and what speaks against those before it. */
export interface Candidate {
  got: BackendName;
  why: string;
  found?: FoundPackage;
}

/** What is here, as {@link findPackage} saw it, and whether an NVIDIA device is. */
export interface Inventory {
  packages: Readonly<Record<TensorFlowBackend, FoundPackage | MissingPackage>>;
  gpu: boolean;
}

/**
 * Makes a backend the current one of tfjs; call it before the first tensor is made. A backend that was selected
 * before in this process is used again as it was started.
 *
 * @throws BackendError when the backend wanted by name is not there or does not start; never for `auto`,
 *   which goes on to the next one and says so in `why`.
 */
export async function selectBackend(
  options: SelectOptions,
  inventory: Inventory = takeInventory(options.cache),
): Promise<SelectedBackend> {
  const { wanted, threads } = options;
  const failures: string[] = [];
  for (const candidate of candidates(wanted, inventory)) {
    try {
      const started = await startBackend(candidate, threads);
      const why = [...failures, candidate.why].join('; ');
      return { wanted, got: candidate.got, why, ...started, tf };
    } catch (error) {
      if (wanted !== 'auto' || candidate.got === 'onnx' || !(error instanceof BackendError)) throw error;
      failures.push(`${candidate.got} did not start (${error.message})`);
    }
  }
  throw new BackendError('no training backend is left to try');
}

/** The one line that a run prints first: "backend: wanted auto, got onnx (onnxruntime 1.30.0 on the CPU), because ...". */
export function describeBackend(selected: SelectedBackend): string {
  const { wanted, got, library, device, why } = selected;
  return `backend: wanted ${wanted}, got ${got} (${library} on the ${device}), because ${why}`;
}

/** Checks a name from a command line. @throws BackendError with the names there are. */
export function parseBackend(text: string): BackendName | 'auto' {
  const names = ['auto', ...BACKENDS] as const;
  const name = names.find((name) => name === text);
  if (name !== undefined) return name;
  const near = nearest(text, names);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw new BackendError(`There is no backend "${text}". There are ${names.join(', ')}.${hint}`);
}

/**
 * Which backends to try, in order. With `auto` the GPU package comes first where an NVIDIA device is: without one it
 * would run on the CPU, with an older start-up and no gain.
 *
 * @throws BackendError when a backend is wanted by name and is not there.
 */
export function candidates(wanted: BackendName | 'auto', inventory: Inventory): Candidate[] {
  if (wanted === 'onnx') return [{ got: 'onnx', why: 'it was asked for' }];
  if (wanted !== 'auto') {
    const found = inventory.packages[wanted];
    if ('missing' in found) throw new BackendError(`${wanted} ${found.missing}. ${installHint(wanted)}`);
    const aside = wanted === 'tfjs-node-gpu' && !inventory.gpu ? ', though no NVIDIA device is here' : '';
    return [{ got: wanted, why: `it was asked for${aside}`, found }];
  }
  const gpu = inventory.packages['tfjs-node-gpu'];
  const onnx = (against: string): Candidate => ({
    got: 'onnx',
    why: `${against}; on a CPU nothing that is known here trains faster`,
  });
  if (!inventory.gpu) return [onnx('no NVIDIA device is here')];
  if ('missing' in gpu)
    return [onnx(`tfjs-node-gpu ${gpu.missing} (\`trainer backend install tfjs-node-gpu\`)`)];
  return [{ got: 'tfjs-node-gpu', why: 'it is the fastest one here', found: gpu }, onnx('it is always here')];
}

/** Looks for both TensorFlow packages and for an NVIDIA device (its kernel driver's node, or WSL's). */
export function takeInventory(cache: string): Inventory {
  return {
    packages: {
      'tfjs-node-gpu': findPackage('tfjs-node-gpu', cache),
      'tfjs-node': findPackage('tfjs-node', cache),
    },
    gpu: existsSync('/dev/nvidiactl') || existsSync('/dev/dxg'),
  };
}

/** What to do when a backend is missing. */
function installHint(backend: TensorFlowBackend): string {
  const { download, disk } = PINS[backend];
  return `Install it with \`trainer backend install ${backend}\` (downloads ${download} MB, takes ${disk} MB), or use --backend auto.`;
}

/** Starts one candidate and makes it current. @throws BackendError when TensorFlow does not start. */
export async function startBackend(
  candidate: Candidate,
  threads?: number,
): Promise<{ library: string; device: string }> {
  if (candidate.found !== undefined) {
    const { version, device } = await loadTensorFlow(candidate.found);
    return { library: `TensorFlow ${version}`, device };
  }
  // Loaded only now: onnxruntime and TensorFlow each start a pool of threads in the process that loads them.
  tf.env().set('PROD', true); // Silences a banner of tfjs's cpu backend, which the onnx backend has for tiny tensors.
  const { registerOnnxBackend } = await import('../../convert/backend.ts');
  if (tf.findBackendFactory('onnx') === null)
    registerOnnxBackend({ threads: threads ?? availableParallelism() });
  await tf.setBackend('onnx');
  return { library: `onnxruntime ${manifest.dependencies['onnxruntime-node']}`, device: 'CPU' };
}
