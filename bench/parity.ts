/** Whether exported graphs compute what TensorFlow.js, TensorFlow and Keras compute, are valid ONNX, and are as fast as PyTorch's own export. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, BenchContext, Table } from './bench.ts';
import { compareApplications } from './parity/applications.ts';
import { compareGraphs } from './parity/graphs.ts';
import { compareLatency } from './parity/latency.ts';
import { compareLayers } from './parity/layers.ts';
import { compareRandomModels } from './parity/random.ts';

const PARTS: Readonly<Record<string, (context: BenchContext, folder: string) => Promise<Table>>> = {
  random: compareRandomModels,
  latency: compareLatency,
  graphs: compareGraphs,
  layers: compareLayers,
  applications: compareApplications,
};

export const parity: Bench = {
  name: 'parity',
  title:
    "exported graphs against TensorFlow.js, TensorFlow, the layers of Keras, Keras Applications, the ONNX checker, and PyTorch's own export",
  parts: Object.keys(PARTS),
  counts: { models: 300 },
  choices: { networks: 'value', peer: 'flag' },
  run,
};

async function run(context: BenchContext): Promise<Table[]> {
  const tables: Table[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    if (context.only.length > 0 && !context.only.includes(name)) continue;
    const folder = await mkdtemp(join(context.cache, 'parity-'));
    try {
      tables.push(await part(context, folder));
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  return tables;
}
