/** A convolution of an image enlarged by repetition, as a convolution of the small image: the last layer of most decoders. */
import type { Graph, Initializer, Node } from './graph.ts';
import { foldedTaps, MAX_FOLDED_CHANNELS } from './kernels/enlarged.ts';
import { sameShape } from './shapes.ts';

/**
 * Conv(Resize(x)) -> DepthToSpace(Conv(x)), where Resize repeats pixels a whole number of times and the convolution has
 * stride 1, an odd kernel and pads to the same size. Equal but for rounding: weights that meet the same pixel are added
 * (Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?").
 */
export function foldUpsampling(g: Graph): Graph {
  const makers = new Map(g.nodes.map((node) => [node.outputs[0]!, node]));
  const nodes = g.nodes;
  g.nodes = [];
  for (const node of nodes) {
    const resize = makers.get(node.inputs[0]!);
    const factor = node.type === 'Conv' && resize ? repetition(g, resize) : null;
    const filter = factor === null ? undefined : g.initializers.get(node.inputs[1]!);
    if (factor !== null && filter && isFoldable(g, node, filter, factor))
      emitFolded(g, node, resize!.inputs[0]!, filter, factor);
    else g.nodes.push(node);
  }
  return g;
}

/** How often a Resize repeats each row and column; null: it does something else. */
function repetition(g: Graph, { type, inputs, attributes }: Node): number | null {
  const repeats =
    type === 'Resize' &&
    attributes.mode === 'nearest' &&
    attributes.coordinate_transformation_mode === 'asymmetric' &&
    attributes.nearest_mode === 'floor';
  const scales = repeats ? Array.from(g.initializers.get(inputs[2]!)?.data ?? []) : [];
  const [batch, channels, rows, columns] = scales;
  const whole = batch === 1 && channels === 1 && rows === columns && Number.isInteger(rows);
  return scales.length === 4 && whole ? rows! : null;
}

function isFoldable(g: Graph, { inputs, attributes }: Node, filter: Initializer, factor: number): boolean {
  const [outChannels, , height, width] = filter.dims as [number, number, number, number];
  const border = (height - 1) / 2;
  const has = (name: string, expected: readonly number[], otherwise: readonly number[]) =>
    sameShape((attributes[name] as readonly number[] | undefined) ?? otherwise, expected);
  return (
    filter.dims.length === 4 &&
    height === width &&
    height % 2 === 1 &&
    outChannels * factor ** 2 <= MAX_FOLDED_CHANNELS &&
    (attributes.group ?? 1) === 1 &&
    attributes.auto_pad === undefined &&
    has('strides', [1, 1], [1, 1]) &&
    has('dilations', [1, 1], [1, 1]) &&
    has('pads', [border, border, border, border], [0, 0, 0, 0]) &&
    (inputs.length < 3 || g.initializers.has(inputs[2]!))
  );
}

function emitFolded(g: Graph, node: Node, small: string, filter: Initializer, factor: number): void {
  const [outChannels, inChannels, size] = filter.dims as [number, number, number];
  const phases = factor ** 2;
  const { reach, width } = foldedTaps(size, factor);
  const folded = foldFilter(filter, factor);
  const inputs = [
    small,
    g.weight('float32', [outChannels * phases, inChannels, width, width], folded),
    ...node.inputs.slice(2).map((name) => {
      const bias = g.initializers.get(name)!.data;
      const repeated = Float32Array.from(
        { length: outChannels * phases },
        (_, i) => bias[Math.floor(i / phases)]!,
      );
      return g.weight('float32', [outChannels * phases], repeated);
    }),
  ];
  const low = g.op('Conv', inputs, {
    ...node.attributes,
    kernel_shape: [width, width],
    pads: [reach, reach, reach, reach],
  });
  const attributes = { blocksize: factor, mode: 'CRD' };
  g.nodes.push({ type: 'DepthToSpace', inputs: [low], outputs: node.outputs, attributes, domain: '' });
}

/** One filter for each place within a repeated pixel, in the order of DepthToSpace's mode CRD. */
function foldFilter({ dims, data }: Initializer, factor: number): Float32Array {
  const [outChannels, inChannels, size] = dims as [number, number, number];
  const { width, target } = foldedTaps(size, factor);
  const folded = new Float32Array(outChannels * factor ** 2 * inChannels * width ** 2);
  let from = 0;
  for (let o = 0; o < outChannels; o++)
    for (let i = 0; i < inChannels; i++)
      for (let row = 0; row < size; row++)
        for (let column = 0; column < size; column++) {
          const value = data[from++]!;
          for (let a = 0; a < factor; a++)
            for (let b = 0; b < factor; b++) {
              const channel = (o * factor + a) * factor + b;
              folded[((channel * inChannels + i) * width + target(a, row)) * width + target(b, column)]! +=
                value;
            }
        }
  return folded;
}
