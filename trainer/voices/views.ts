/** The parts of an image that voices look at, cut out within the graph. */
import * as tf from '@tensorflow/tfjs-core';
import { type Box, cropConstant, cropping, resample } from './resampling.ts';

/** Side of the images that voices are given, in pixels. */
export const EDGE = 224;

/** Side of the foreground and centre views. */
export const VIEW = 128;

export interface Views {
  /** `[N, 3, 224, 224]`, 0 to 255. */
  readonly image: tf.Tensor4D;
  /** Mean of the channels, `[N, 224, 224]`. */
  readonly grey: tf.Tensor3D;
  /** Where the bright foreground lies; the whole image when it is small or there is none. */
  readonly box: Box;
  /** Pixels of the foreground, 1, and of the dark surround, 0: `[N, 224, 224]`. */
  readonly mask: tf.Tensor3D;
  /** The box, its 1st to 99th percentile stretched to 0..1: `[N, channels, 128, 128]`, channels 3 or, grey, 1. */
  readonly foreground: tf.Tensor4D;
  /** As `foreground`, the central `share` of the box at `side` x `side` pixels: `[N, channels, side, side]`. */
  readonly foregroundAt: (side: number, share: number) => tf.Tensor4D;
  /** Mean of the foreground's channels, `[N, 128, 128]`. */
  readonly foregroundGrey: tf.Tensor3D;
  /** The central 70 %, about the square within a round fundus, as it is: `[N, 128, 128]`. */
  readonly centre: tf.Tensor3D;
}

/** Pixels left out at each side by the central 70 %. */
const CENTRE = { start: 34, stop: 190 } as const;

/**
 * `pixels` is float32 `[N, 224, 224, 3]`, 0 to 255. With `colour` false the foreground is grey. What nobody uses of the
 * result is not part of a traced graph.
 */
export function makeViews(pixels: tf.Tensor, colour: boolean): Views {
  const image = tf.transpose(pixels as tf.Tensor4D, [0, 3, 1, 2]);
  const sum = tf.sum(image, 1) as tf.Tensor3D;
  const grey = tf.div(sum, 3 * 255) as tf.Tensor3D;
  const { box, mask } = findForeground(sum);
  const crop = (part: Box, side: number): tf.Tensor4D => {
    const resampling = cropping(part, EDGE, side);
    if (colour) return tf.div(resample(image, resampling), 255); // fewer pixels than before
    return resample(tf.expandDims<tf.Tensor4D>(grey, 1), resampling);
  };
  const view = crop(box, VIEW);
  const levels = levelsOf(view);
  const foreground = stretch(view, levels);
  return {
    ...{ image, grey, box, mask, foreground },
    foregroundAt: (side, share) => stretch(crop(centreOfBox(box, share), side), levels),
    foregroundGrey: tf.mean<tf.Tensor3D>(foreground, 1),
    centre: cropConstant(grey, CENTRE, VIEW),
  };
}

/** Rounded to whole pixels. */
function centreOfBox({ start, stop }: Box, share: number): Box {
  const inset = tf.floor(tf.add(tf.mul(tf.sub(stop, start), (1 - share) / 2), 0.5));
  return { start: tf.add(start, inset), stop: tf.sub(stop, inset) };
}

/** Brighter than this share of the 99th percentile of the image reduced by two, and than this grey, is foreground. */
const BRIGHT = { share: 0.12, least: 0.04 } as const;

/** A row or column belongs to the box when more than this share of it is foreground. */
const FILLED = 0.05;

/** Smaller boxes, in pixels, are no foreground but noise. */
const SMALLEST = 40;

/** Reads sums of the three bytes of each pixel, whole numbers, so that rounding cannot change what is foreground. */
function findForeground(sum: tf.Tensor3D): Pick<Views, 'box' | 'mask'> {
  const count = (EDGE / 2) ** 2;
  const reduced = tf.reshape(tf.avgPool(tf.expandDims<tf.Tensor4D>(sum, 3), 2, 2, 'valid'), [-1, count]);
  const rank = Math.floor(count / 100);
  const bright = tf.slice(tf.topk(reduced, rank, true).values, [0, rank - 1], [-1, 1]);
  const share = tf.maximum(tf.mul(bright, BRIGHT.share), BRIGHT.least * 3 * 255);
  const level = tf.reshape(tf.add(share, 0.005), [-1, 1, 1]); // 0.12 k / 4 lies 0.01 apart: never on a whole number
  const mask = tf.cast(tf.greater(sum, level), 'float32') as tf.Tensor3D;
  const { start, stop } = spans(tf.stack([tf.sum(mask, 2), tf.sum(mask, 1)], 1));
  const side = tf.min(tf.sub(stop, start), 1, true);
  const small = tf.cast(tf.less(side, SMALLEST), 'float32');
  const kept = tf.sub(1, small);
  return {
    mask,
    box: { start: tf.mul(start, kept), stop: tf.add(tf.mul(stop, kept), tf.mul(small, EDGE)) },
  };
}

/** First line with enough foreground, and the one behind the last. `counts` are pixels, `[N, 2, 224]`. */
function spans(counts: tf.Tensor): Box {
  const used = tf.cast(tf.greater(counts, FILLED * EDGE), 'float32');
  const index = tf.range(0, EDGE, 1, 'float32');
  const first = tf.min<tf.Tensor2D>(tf.add(index, tf.mul(tf.sub(1, used), 1e6)), 2);
  return { start: tf.minimum(first, EDGE), stop: tf.max<tf.Tensor2D>(tf.mul(tf.add(index, 1), used), 2) };
}

/** Bounds of the stretch, as shares of the brightest and darkest pixels; the smallest range that is stretched to 0..1. */
const STRETCH = { tail: 0.01, least: 0.05 } as const;

/** The pixels of a view reduced by two, and those in one tail of them. */
const COUNT = (VIEW / 2) ** 2;
const TAIL = Math.ceil(STRETCH.tail * COUNT) + 1;

/** Pixels from which on a view counts as having a foreground. */
const FEWEST = 50;

/** What becomes 0, and how much above it becomes 1: `[N, 1, 1, 1]`. */
interface Levels {
  readonly low: tf.Tensor;
  readonly range: tf.Tensor;
}

function stretch(view: tf.Tensor4D, { low, range }: Levels): tf.Tensor4D {
  return tf.clipByValue(tf.div(tf.sub(view, low), range), 0, 1);
}

/**
 * Percentiles of what is not black, on the grey view reduced by two. Counts and ranks are no whole numbers: what
 * changes a pixel a little changes them a little.
 */
function levelsOf(view: tf.Tensor4D): Levels {
  const grey = tf.expandDims<tf.Tensor4D>(tf.mean(view, 1), 3);
  const flat = tf.reshape(tf.avgPool(grey, 2, 2, 'valid'), [-1, COUNT]);
  const seen = tf.clipByValue(tf.div(tf.sub(flat, BRIGHT.least - 0.001), 0.002), 0, 1);
  const few = tf.cast(tf.less(tf.sum(seen, 1, true), FEWEST), 'float32');
  const used = tf.maximum(seen, few);
  const rank = tf.mul(tf.sub(tf.sum(used, 1, true), 1), STRETCH.tail);
  const weight = tf.relu(tf.sub(1, tf.abs(tf.sub(tf.range(0, TAIL, 1, 'float32'), rank))));
  const unused = tf.mul(tf.sub(1, used), 2); // brings what does not count behind all others
  const outermost = (values: tf.Tensor) =>
    tf.reshape(tf.sum(tf.mul(tf.topk(values, TAIL, true).values, weight), 1), [-1, 1, 1, 1]);
  const high = outermost(tf.sub(flat, unused));
  const low = tf.neg(outermost(tf.sub(tf.neg(flat), unused)));
  return { low, range: tf.maximum(tf.sub(high, low), STRETCH.least) };
}
