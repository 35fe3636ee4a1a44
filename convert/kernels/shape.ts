import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import {
  elements,
  NCHW_AXIS,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  toNchw,
} from '../shapes.ts';
import {
  alias,
  channelsFirst,
  isChannelsFirst,
  nameIn,
  plain,
  preferredLayout,
  spread,
  type TensorSpec,
  type Value,
  view,
} from '../values.ts';
import { requireFit } from './fit.ts';
import { type HandlerTable, handler, list, sameShapeHandler } from './handler.ts';

/** ONNX's way to say "to the very beginning" when a Slice runs backwards. */
const BEFORE_START = -(2 ** 31);

/** Kernels that move, cut, join or repeat elements without computing on them. */
export const SHAPE: HandlerTable = {
  Reshape: handler<{ shape: number[] }>({
    outputs: ({ x }, { shape }) => [
      { shape: util.inferFromImplicitShape(shape, elements(x!.shape)), dtype: x!.dtype },
    ],
    emit: (g, { x }, _, [out]) => alias(g, out!, view(g, x!, out!.shape)),
  }),
  ExpandDims: handler<{ dim: number }>({
    outputs: ({ input }, { dim }) => {
      const at = dim < 0 ? dim + input!.shape.length + 1 : dim;
      return [{ shape: [...input!.shape.slice(0, at), 1, ...input!.shape.slice(at)], dtype: input!.dtype }];
    },
    emit: (g, { input }, _, [out]) => alias(g, out!, view(g, input!, out!.shape)),
  }),
  Transpose: handler<{ perm: number[] }>({
    outputs: ({ x }, { perm }) => {
      const each = x!.shape.every((_, axis) => perm.includes(axis));
      requireFit(
        each && perm.length === x!.shape.length,
        'transpose',
        `[${perm}] is no order of its axes`,
        x!.shape,
      );
      return [{ shape: perm.map((p) => x!.shape[p]!), dtype: x!.dtype }];
    },
    emit: (g, { x }, { perm }, [out]) => transpose(g, x!, perm, out!),
  }),
  Slice: handler<{ begin: number | number[]; size: number | number[] }>({
    outputs: ({ x }, a) => {
      const [begin, size] = sliceBounds(x!, a.begin, a.size);
      const inside = size.every((n, i) => begin[i]! >= 0 && n >= 0 && begin[i]! + n <= x!.shape[i]!);
      requireFit(inside, 'slice', `[${size}] from [${begin}] on reaches beyond it`, x!.shape);
      return [{ shape: size, dtype: x!.dtype }];
    },
    emit: (g, { x }, a, [out]) => {
      const [begin, size] = sliceBounds(x!, a.begin, a.size);
      const axes = size.map((_, i) => i).filter((i) => size[i] !== x!.shape[i]);
      cut(g, x!, out!, axes, begin, size);
    },
  }),
  StridedSlice: handler<StridedSliceAttrs>({
    outputs: ({ x }, a) => [{ shape: stridedSlice(x!.shape, a).finalShape, dtype: x!.dtype }],
    emit: (g, { x }, a, [out]) => {
      const { begin, end, strides, finalShape } = stridedSlice(x!.shape, a);
      const ends = end.map((e, i) => (strides[i]! < 0 && e < 0 ? BEFORE_START : e));
      const axes = begin.map((_, i) => i);
      const name = g.op('Slice', [plain(g, x!), g.ints(begin), g.ints(ends), g.ints(axes), g.ints(strides)]);
      const sliced = slice_util.computeOutShape(begin, end, strides);
      out!.plain = sameShape(sliced, finalShape) ? name : g.reshape(name, finalShape);
    },
  }),
  Concat: handler<{ axis: number }>({
    outputs: (inputs, { axis }) => {
      const parts = list(inputs);
      const at = normalizeAxis(axis, parts[0]!.shape.length);
      for (const { shape } of parts) {
        const fits = sameShape(shape.with(at, 0), parts[0]!.shape.with(at, 0));
        requireFit(fits, 'concat', `they differ beside axis ${at}`, parts[0]!.shape, shape);
      }
      const total = parts.reduce((sum, p) => sum + p.shape[at]!, 0);
      return [{ shape: parts[0]!.shape.map((d, i) => (i === at ? total : d)), dtype: parts[0]!.dtype }];
    },
    emit: (g, inputs, { axis }, [out]) => {
      const all = list(inputs);
      const parts = all.filter((p) => elements(p.shape) > 0);
      if (parts.length < 2) return alias(g, out!, parts[0] ?? all[0]!);
      const layout = preferredLayout(parts, out!.shape.length);
      const at = normalizeAxis(axis, out!.shape.length);
      const names = parts.map((p) => nameIn(g, p, layout));
      out![layout] = g.op('Concat', names, { axis: layout === 'plain' ? at : NCHW_AXIS[at]! });
    },
  }),
  Pack: handler<{ axis: number }>({
    outputs: (inputs, { axis }) => {
      const parts = list(inputs);
      const shape = [...parts[0]!.shape];
      for (const part of parts)
        requireFit(sameShape(part.shape, shape), 'stack', 'they differ', shape, part.shape);
      shape.splice(axis < 0 ? axis + shape.length + 1 : axis, 0, parts.length);
      return [{ shape, dtype: parts[0]!.dtype }];
    },
    emit: (g, inputs, { axis }, [out]) => {
      const at = normalizeAxis(axis, out!.shape.length);
      const single = out!.shape.map((d, i) => (i === at ? 1 : d));
      const names = list(inputs).map((p) => plain(g, view(g, p, single)));
      out!.plain = g.op('Concat', names, { axis: at });
    },
  }),
  Unpack: handler<{ axis: number }>({
    outputs: ({ value }, { axis }) => {
      const at = normalizeAxis(axis, value!.shape.length);
      const shape = value!.shape.filter((_, i) => i !== at);
      return Array.from({ length: value!.shape[at]! }, () => ({ shape, dtype: value!.dtype }));
    },
    emit: (g, { value }, { axis }, outs) => {
      const at = g.ints([normalizeAxis(axis, value!.shape.length)]);
      const source = plain(g, value!);
      outs.forEach((out, i) => {
        out.plain = g.reshape(g.op('Slice', [source, g.ints([i]), g.ints([i + 1]), at]), out.shape);
      });
    },
  }),
  SplitV: handler<{ numOrSizeSplits: number | number[]; axis: number }>({
    outputs: ({ x }, a) => {
      const at = normalizeAxis(a.axis, x!.shape.length);
      const sizes = backend_util.prepareSplitSize(asTensorInfo(x!), a.numOrSizeSplits, at);
      return sizes.map((size) => ({ shape: x!.shape.map((d, i) => (i === at ? size : d)), dtype: x!.dtype }));
    },
    emit: (g, { x }, a, outs) => {
      const at = normalizeAxis(a.axis, x!.shape.length);
      let start = 0;
      for (const out of outs) {
        const begin = x!.shape.map((_, i) => (i === at ? start : 0));
        cut(g, x!, out, [at], begin, out.shape);
        start += out.shape[at]!;
      }
    },
  }),
  Tile: handler<{ reps: number[] }>({
    outputs: ({ x }, { reps }) => [{ shape: x!.shape.map((d, i) => d * reps[i]!), dtype: x!.dtype }],
    emit: (g, { x }, { reps }, [out]) => {
      if (reps.every((r, i) => r === 1 || x!.shape[i] === 1)) spread(g, out!, x!);
      else out!.plain = g.op('Tile', [plain(g, x!), g.ints(reps)]);
    },
  }),
  Reverse: sameShapeHandler((g, x, out, { dims }: { dims: number | number[] }) => {
    const axes = normalizeAxes(dims, x.shape.length);
    const minusOne = g.ints(axes.map(() => -1));
    const ends = g.ints(axes.map(() => BEFORE_START));
    if (axes.length === 0) alias(g, out, x);
    else out.plain = g.op('Slice', [plain(g, x), minusOne, ends, g.ints(axes), minusOne]);
  }),
};

interface StridedSliceAttrs {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

function stridedSlice(shape: Shape, a: StridedSliceAttrs): slice_util.SliceInfo {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = a;
  const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const;
  return slice_util.sliceInfo([...shape], begin, end, strides, ...masks);
}

/** TensorFlow.js' shape helpers ask for a TensorInfo but read its shape only. */
function asTensorInfo(spec: TensorSpec): TensorInfo {
  return { dataId: {}, shape: [...spec.shape], dtype: spec.dtype };
}

function sliceBounds(x: TensorSpec, begin: number | number[], size: number | number[]): [number[], number[]] {
  const [starts, sizes] = slice_util.parseSliceParams(asTensorInfo(x), begin, size);
  return [starts!, sizes!];
}

/** Cuts `size` elements from `begin` along `axes`; the other axes stay whole. */
function cut(g: Graph, x: Value, out: Value, axes: readonly number[], begin: Shape, size: Shape): void {
  if (axes.every((i) => size[i] === x.shape[i])) {
    alias(g, out, x);
    return;
  }
  if (x.fill !== undefined) {
    out.fill = x.fill;
    return;
  }
  const layout = preferredLayout([x], x.shape.length);
  const physical = layout === 'plain' ? axes : axes.map((i) => NCHW_AXIS[i]!);
  const starts = g.ints(axes.map((i) => begin[i]!));
  const ends = g.ints(axes.map((i) => begin[i]! + size[i]!));
  out[layout] = g.op('Slice', [nameIn(g, x, layout), starts, ends, g.ints(physical)]);
}

function transpose(g: Graph, x: Value, perm: readonly number[], out: Value): void {
  if (x.fill !== undefined) {
    out.fill = x.fill;
  } else if (x.shape.length === 4 && isChannelsFirst(x)) {
    const physical = perm.map((p) => NCHW_AXIS[p]!);
    out.plain = g.transpose(channelsFirst(g, x), physical, toNchw(x.shape));
  } else if (sameShape(perm, [0, 2, 3, 1])) {
    out.channelsFirst = plain(g, x); // the caller turns NCHW into NHWC: a relabelling
  } else {
    out.plain = g.transpose(plain(g, x), perm, x.shape);
  }
}
