import type { Graph } from '../graph.ts';
import { type Shape, toNchw } from '../shapes.ts';
import { nameIn, preferredLayout, type Value } from '../values.ts';
import { type Handler, type HandlerTable, handler } from './handler.ts';

/** Elements to add [before, behind] each axis. */
type Paddings = ReadonlyArray<readonly [number, number]>;

/** Kernels that put a border around a tensor. */
export const PAD: HandlerTable = {
  PadV2: padding<{ paddings: Paddings; constantValue: number }>((g, x, out, name, pads, a) => {
    if (a.constantValue === 0) noteZeroBorder(x, out, a.paddings);
    return constantPad(g, name, pads, g.scalar(a.constantValue, x.dtype));
  }),
  MirrorPad: handler<{ paddings: Paddings; mode: 'reflect' | 'symmetric' }>({
    outputs: ({ x }, { paddings }) => [{ shape: paddedShape(x!.shape, paddings), dtype: x!.dtype }],
    emit: (g, { x }, { paddings, mode }, [out]) => {
      const layout = preferredLayout([x!], x!.shape.length);
      const pairs = layout === 'plain' ? paddings : toNchw(paddings);
      const name = nameIn(g, x!, layout);
      const sizes = layout === 'plain' ? x!.shape : toNchw(x!.shape);
      out![layout] = mode === 'reflect' ? reflected(g, name, pairs) : repeatedEdges(g, name, pairs, sizes);
    },
  }),
};

/** Pads NCHW images by [top, left, bottom, right] zeros. */
export function padImages(g: Graph, name: string, [top, left, bottom, right]: Shape): string {
  const none = !top && !left && !bottom && !right;
  return none ? name : constantPad(g, name, [0, 0, top!, left!, 0, 0, bottom!, right!], g.scalar(0));
}

/**
 * A Pad by `pads` (all starts, then all ends) that onnxruntime leaves alone.
 *
 * Its PadFusion (onnxruntime/core/optimizer/pad_fusion.cc, since microsoft/onnxruntime#18136; 1.30 still does it) moves
 * a Pad by zero into the node behind it. For MaxPool that is wrong, since MaxPool pads by -infinity (#24737), or breaks
 * loading with "Pad should be smaller than kernel"; for AveragePool it was wrong at first (#22177) and can break
 * loading, too. For Conv it is right, and `borderedImages` does it here, for every runtime. PadFusion passes over a Pad
 * with the optional fourth input, `axes`. It must list every axis in order: the transpose optimizer permutes `pads` as
 * if it did (HandlePad in onnx_transpose_optimization.cc).
 */
export function constantPad(g: Graph, name: string, pads: Shape, value: string): string {
  const axes = Array.from({ length: pads.length / 2 }, (_, i) => i);
  return g.op('Pad', [name, g.ints(pads), value, g.ints(axes)], { mode: 'constant' });
}

/** Remembers images that only got a border of zeros, see `borderedImages`. */
function noteZeroBorder(x: Value, out: Value, paddings: Paddings): void {
  const [images, rows, columns, channels] = paddings;
  if (x.dtype !== 'float32' || paddings.length !== 4 || [...images!, ...channels!].some((p) => p !== 0))
    return;
  out.zeroBorder = { of: x, pads: [rows![0], columns![0], rows![1], columns![1]] };
}

/**
 * What a convolution, whose own padding is zeros too, reads instead of `images`: these without the border that
 * ZeroPadding2D put around them, and [top, left, bottom, right] to add to its padding.
 */
export function borderedImages(images: Value): { images: Value; pads: Shape } {
  const { zeroBorder } = images.origin ?? images;
  if (!zeroBorder) return { images, pads: [0, 0, 0, 0] };
  const inner = borderedImages(zeroBorder.of);
  return { images: inner.images, pads: inner.pads.map((p, i) => p + zeroBorder.pads[i]!) };
}

/** Mirrored about the outermost elements. */
function reflected(g: Graph, name: string, pairs: Paddings): string {
  if (pairs.every(([before, behind]) => before + behind === 0)) return name;
  const pads = [...pairs.map((p) => p[0]), ...pairs.map((p) => p[1])];
  return g.op('Pad', [name, g.ints(pads)], { mode: 'reflect' });
}

/** Mirrored about the edges, so that the outermost elements come twice: no mode of ONNX's Pad. */
function repeatedEdges(g: Graph, name: string, pairs: Paddings, sizes: Shape): string {
  return pairs.reduce((from, [before, behind], axis) => {
    if (before + behind === 0) return from;
    return g.op('Gather', [from, g.ints(mirrored(sizes[axis]!, before, behind))], { axis });
  }, name);
}

function mirrored(length: number, before: number, behind: number): number[] {
  return Array.from({ length: before + length + behind }, (_, i) => {
    const at = i - before;
    if (at < 0) return -at - 1;
    return at < length ? at : 2 * length - 1 - at;
  });
}

function paddedShape(shape: Shape, paddings: Paddings): number[] {
  return shape.map((d, i) => d + paddings[i]![0] + paddings[i]![1]);
}

function padding<A extends { paddings: Paddings }>(
  emit: (g: Graph, x: Value, out: Value, name: string, pads: number[], attrs: A) => string,
): Handler {
  return handler<A>({
    outputs: ({ x }, { paddings }) => [{ shape: paddedShape(x!.shape, paddings), dtype: x!.dtype }],
    emit: (g, { x }, attrs, [out]) => {
      const layout = preferredLayout([x!], x!.shape.length);
      const pairs = layout === 'plain' ? attrs.paddings : toNchw(attrs.paddings);
      const pads = [...pairs.map((p) => p[0]), ...pairs.map((p) => p[1])];
      out![layout] = emit(g, x!, out!, nameIn(g, x!, layout), pads, attrs);
    },
  });
}
