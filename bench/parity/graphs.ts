/** Small graphs of TensorFlow, of the kinds that the suites of tf2onnx and tfjs-converter try: what TensorFlow computes? */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../trainer/backend/command.ts';
import type { BenchContext, Table } from '../bench.ts';
import { convertByCommand, readFloats, runOnnx } from '../keras/converted.ts';
import { pythonEnvironment } from '../python/environment.ts';
import { complaint, relativeDifference } from './difference.ts';

const BOUND = 1e-4;
const SCRIPT = fileURLToPath(new URL('../keras/graphs.py', import.meta.url));

/** What graphs.py prints of a graph. */
interface Written {
  readonly name: string;
  /** Of its one input, with the batch. */
  readonly shape: readonly number[];
  readonly nodes: number;
  /** What tf2onnx said against it. */
  readonly tf2onnx: string | null;
}

/** Largest relative difference, or why there is none. */
type Outcome = number | string;

export async function compareGraphs(context: BenchContext, folder: string): Promise<Table> {
  const python = await pythonEnvironment(context, 'keras');
  context.report('TensorFlow writes the graphs\n');
  const graphs = JSON.parse(await runCommand(python, ['-B', SCRIPT, folder])) as Written[];
  const rows: [Written, ours: Outcome, peer: Outcome][] = [];
  for (const [i, graph] of graphs.entries()) {
    context.report('.');
    const at = join(folder, String(i));
    const ours = await outcome(async () => {
      await convertByCommand(at, join(at, 'ours.onnx'));
      return differenceOf(graph, at, 'ours.onnx');
    });
    const peer = graph.tf2onnx ?? (await outcome(() => differenceOf(graph, at, 'tf2onnx.onnx')));
    rows.push([graph, ours, peer]);
  }
  context.report('\n');
  const agrees = (result: Outcome) => typeof result === 'number' && result <= BOUND;
  const cell = (result: Outcome) => (typeof result === 'number' ? result : 'FAILED');
  const summary = (who: string, results: readonly Outcome[]) =>
    `${who}: ${results.filter(agrees).length} of ${results.length} within ${BOUND}.`;
  return {
    title: 'Graphs of TensorFlow, as graph models: differences from what TensorFlow computes',
    columns: ['graph', 'nodes', 'difference', 'tf2onnx'],
    rows: rows.map(([{ name, nodes }, ours, peer]) => [name, nodes, cell(ours), cell(peer)]),
    notes: [
      summary(
        'convert',
        rows.map(([, ours]) => ours),
      ),
      summary(
        'tf2onnx',
        rows.map(([, , peer]) => peer),
      ),
      ...rows.flatMap(([{ name }, ours]) =>
        typeof ours === 'string' ? [`convert FAILED: ${name}: ${ours}`] : [],
      ),
      ...rows.flatMap(([{ name }, , peer]) =>
        typeof peer === 'string' ? [`tf2onnx FAILED: ${name}: ${peer}`] : [],
      ),
      'Written by bench/keras/graphs.py, with functions for conditions and loops; nodes: with those of functions.',
      'Relative to the value or to 1 % of the largest, whichever is larger; onnxruntime against TensorFlow in Python, batch 3.',
    ],
    failed: !rows.every(([, ours]) => agrees(ours)),
  };
}

async function differenceOf({ shape }: Written, folder: string, model: string): Promise<number> {
  const [input, output] = await Promise.all(
    ['input', 'output'].map((name) => readFloats(join(folder, `${name}.bin`))),
  );
  return relativeDifference(await runOnnx(join(folder, model), input!, shape), output!);
}

async function outcome(action: () => Promise<number>): Promise<Outcome> {
  try {
    return await action();
  } catch (error) {
    return complaint(error);
  }
}
