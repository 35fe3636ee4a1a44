import type { Attribute, Graph } from '../graph.ts';
import type { Shape } from '../shapes.ts';
import { channelsFirst, plain } from '../values.ts';
import { type HandlerTable, handler } from './handler.ts';

/** A foreign ONNX graph with one image input, as embedOnnx() prepares it. */
export interface EmbeddedGraph {
  /** How its input lies in memory; TensorFlow.js sees [N, H, W, C] in any case. */
  readonly channelsFirst: boolean;
  readonly input: string;
  readonly nodes: readonly EmbeddedNode[];
  readonly weights: ReadonlyMap<string, { readonly dims: Shape; readonly data: Float32Array }>;
  readonly outputs: readonly EmbeddedOutput[];
  /** What tells it from every other graph: recorded jobs are compared by their attributes as JSON. */
  toJSON(): string;
}

export interface EmbeddedNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface EmbeddedOutput {
  readonly name: string;
  /** Height, width, channels. */
  readonly shape: Shape;
  readonly channelsFirst: boolean;
}

/** The kernel that an embedded graph is: [N, H, W, C] -> one [N, h, w, c] for each output, all float32. */
export const EMBEDDED_KERNEL = 'PlumblineEmbeddedOnnx';

export const EMBEDDED: HandlerTable = {
  [EMBEDDED_KERNEL]: handler<{ readonly graph: EmbeddedGraph }>({
    outputs: ({ x }, { graph }) =>
      graph.outputs.map(({ shape }) => ({ shape: [x!.shape[0]!, ...shape], dtype: 'float32' })),
    emit: (g, { x }, { graph }, outputs) => {
      const names = write(g, graph, graph.channelsFirst ? channelsFirst(g, x!) : plain(g, x!));
      graph.outputs.forEach((output, i) => {
        outputs[i]![output.channelsFirst ? 'channelsFirst' : 'plain'] = names.get(output.name)!;
      });
    },
  }),
};

/** Writes all nodes and weights under names of their own; gives the new name of each old one. */
function write(g: Graph, graph: EmbeddedGraph, input: string): ReadonlyMap<string, string> {
  const names = new Map([
    ['', ''], // an optional input left out
    [graph.input, input],
  ]);
  for (const [name, { dims, data }] of graph.weights) names.set(name, g.weight('float32', dims, data));
  for (const { type, inputs, outputs, attributes } of graph.nodes) {
    const made = g.ops(
      type,
      inputs.map((name) => names.get(name)!),
      attributes,
      outputs.length,
    );
    outputs.forEach((name, i) => {
      names.set(name, made[i]!);
    });
  }
  return names;
}
