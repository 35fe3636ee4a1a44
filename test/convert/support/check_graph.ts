import assert from 'node:assert/strict';
import { traceableGraph } from '../../../convert/graph_model.ts';
import { traceAsync } from '../../../convert/trace.ts';
import { type CompareOptions, type Comparison, compare } from '../../../convert/verify.ts';
import { type GraphDef, graphArtifacts } from './graph_defs.ts';
import { problemsOf } from './valid_graph.ts';

/** Converts a graph, and checks that the file is valid; gives the file and how far onnxruntime is from TensorFlow.js' own execution of it. */
export async function checkGraph(
  graph: GraphDef,
  outputs: readonly string[],
  options: CompareOptions & { batch?: number } = {},
): Promise<Comparison & { bytes: Uint8Array }> {
  const model = await traceableGraph(graphArtifacts(graph), { outputs });
  try {
    const inputs = model.inputs.map((input) => ({
      ...input,
      shape: input.shape.map((d) => d ?? options.batch ?? null),
    }));
    const bytes = await traceAsync(model.fn, inputs, { place: model.place });
    assert.deepEqual(problemsOf(bytes), [], 'the file is valid');
    return { ...(await compare(model.fn, bytes, inputs, options)), bytes };
  } finally {
    model.dispose();
  }
}
