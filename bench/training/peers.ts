/** Starts the trainers of one net, each a process of its own. */
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../bench.ts';
import { pythonScript } from '../python/environment.ts';
import type { Net } from './nets.ts';
import { Peer } from './peer.ts';

/** What is needed to start each peer. */
export interface Setting {
  readonly python: string;
  /** Folder of tfjs wasm, where it is wanted. */
  readonly wasm: string | undefined;
  /** Folder of tfjs-node, where it is installed. */
  readonly tfjsNode: string | undefined;
  /** Folder that writeTrainingData has filled for the net. */
  readonly data: string;
  readonly environment: BenchContext['environment'];
}

export const OURS = 'onnx';
export const REFERENCE = 'PyTorch channels_last';
export const NCHW = 'PyTorch NCHW';
export const TFJS_NODE = 'tfjs-node';
export const WASM = 'tfjs wasm';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

export function startPeers(setting: Setting, net: Net, threads: number): Peer[] {
  const { python, wasm, tfjsNode, data } = setting;
  // TensorFlow and OpenMP take their number of threads from the environment only.
  const environment = {
    ...setting.environment,
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: String(threads),
    OMP_NUM_THREADS: String(threads),
    TF_CPP_MIN_LOG_LEVEL: '2',
  };
  const node = (name: string, backend: string, folder: string) =>
    new Peer(name, [process.execPath, MAIN, net.name, backend, String(threads), data, folder], environment);
  const torch = (name: string, layout: string) =>
    new Peer(name, [python, pythonScript('train.py'), net.name, layout, String(threads), data], environment);
  return [
    node(OURS, 'onnx', ''),
    ...(tfjsNode === undefined ? [] : [node(TFJS_NODE, 'tfjs-node', tfjsNode)]),
    ...(wasm === undefined ? [] : [node(WASM, 'wasm', wasm)]),
    torch(REFERENCE, 'channels_last'),
    torch(NCHW, 'NCHW'),
  ];
}
