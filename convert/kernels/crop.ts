import type { Graph } from '../graph.ts';
import { NCHW_AXIS } from '../shapes.ts';
import { nameIn, plain, preferredLayout, type Value } from '../values.ts';
import { type HandlerTable, handler, sameShapeHandler } from './handler.ts';

interface CropAttrs {
  cropSize: [number, number];
  method: 'bilinear' | 'nearest';
  extrapolationValue: number;
}

const BEFORE_START = -(2 ** 31);

/** Boxes cut out of [N, H, W, C] images, and mirrored images. */
export const CROP: HandlerTable = {
  /** As tfjs-backend-cpu kernels/CropAndResize.js, places in double precision as there. */
  CropAndResize: handler<CropAttrs>({
    outputs: ({ image, boxes }, { cropSize }) => [
      { shape: [boxes!.shape[0]!, ...cropSize, image!.shape[3]!], dtype: 'float32' },
    ],
    emit: (g, { image, boxes, boxInd }, attrs, [out]) => {
      out!.plain = crop(g, image!, g.cast(plain(g, boxes!), 'float64'), plain(g, boxInd!), attrs);
    },
  }),
  FlipLeftRight: sameShapeHandler((g, x, out) => {
    const layout = preferredLayout([x], 4);
    const axis = layout === 'plain' ? 2 : NCHW_AXIS[2]!;
    const minusOne = g.ints([-1]);
    const inputs = [nameIn(g, x, layout), minusOne, g.ints([BEFORE_START]), g.ints([axis]), minusOne];
    out[layout] = g.op('Slice', inputs);
  }),
};

/** Where the pixels of a box lie along one axis: double precision [boxes, size]. */
function places(g: Graph, boxes: string, first: number, size: number, length: number): string {
  const column = (i: number) => g.op('Slice', [boxes, g.ints([i]), g.ints([i + 1]), g.ints([1])]);
  const double = (value: number) => g.scalar(value, 'float64');
  const [from, to] = [column(first), column(first + 2)];
  if (size === 1) return g.op('Mul', [g.op('Add', [from, to]), double(0.5 * (length - 1))]);
  const spacing = g.op('Div', [g.op('Mul', [g.op('Sub', [to, from]), double(length - 1)]), double(size - 1)]);
  const steps = g.constant(
    'float64',
    [size],
    Array.from({ length: size }, (_, i) => i),
  );
  return g.op('Add', [g.op('Mul', [from, double(length - 1)]), g.op('Mul', [steps, spacing])]);
}

function crop(g: Graph, image: Value, boxes: string, boxInd: string, attrs: CropAttrs): string {
  const [, height, width, channels] = image.shape as [number, number, number, number];
  const [rows, columns] = attrs.cropSize;
  const y = g.op('Unsqueeze', [places(g, boxes, 0, rows, height), g.ints([2])]);
  const x = g.op('Unsqueeze', [places(g, boxes, 1, columns, width), g.ints([1])]);
  const within = g.op('And', [inside(g, y, height), inside(g, x, width)]);
  const name = plain(g, image);
  const pixels = g.reshape(image.dtype === 'float32' ? name : g.cast(name, 'float32'), [-1, channels]);
  const start = g.op('Mul', [g.cast(boxInd, 'int64'), g.scalar(height * width, 'int64')]);
  const box = g.op('Unsqueeze', [start, g.ints([1, 2])]);
  const at = (row: string, column: string) => {
    const offset = g.op('Mul', [index(g, row, height), g.scalar(width, 'int64')]);
    const places = g.op('Add', [g.op('Add', [box, offset]), index(g, column, width)]);
    return g.op('Gather', [pixels, places], { axis: 0 });
  };
  const values = attrs.method === 'nearest' ? at(rounded(g, y), rounded(g, x)) : bilinear(g, y, x, at);
  const outside = g.scalar(attrs.extrapolationValue);
  return g.op('Where', [g.op('Unsqueeze', [within, g.ints([3])]), values, outside]);
}

function bilinear(g: Graph, y: string, x: string, at: (row: string, column: string) => string): string {
  const [top, left] = [g.op('Floor', [y]), g.op('Floor', [x])];
  const [bottom, right] = [g.op('Ceil', [y]), g.op('Ceil', [x])];
  const share = (place: string, low: string) =>
    g.op('Unsqueeze', [g.cast(g.op('Sub', [place, low]), 'float32'), g.ints([3])]);
  const mix = (a: string, b: string, part: string) =>
    g.op('Add', [a, g.op('Mul', [g.op('Sub', [b, a]), part])]);
  const [across, down] = [share(x, left), share(y, top)];
  const upper = mix(at(top, left), at(top, right), across);
  return mix(upper, mix(at(bottom, left), at(bottom, right), across), down);
}

function inside(g: Graph, place: string, length: number): string {
  const zero = g.scalar(0, 'float64');
  const last = g.scalar(length - 1, 'float64');
  return g.op('And', [g.op('GreaterOrEqual', [place, zero]), g.op('LessOrEqual', [place, last])]);
}

/** Half up, as JavaScript rounds. */
function rounded(g: Graph, place: string): string {
  return g.op('Floor', [g.op('Add', [place, g.scalar(0.5, 'float64')])]);
}

/** A pixel's index; one outside of the image is read somewhere in it, and not used. */
function index(g: Graph, place: string, length: number): string {
  const clipped = g.op('Clip', [place, g.scalar(0, 'float64'), g.scalar(length - 1, 'float64')]);
  return g.cast(clipped, 'int64');
}
