/** Means over the cells of a grid, as products with matrices. */
import * as tf from '@tensorflow/tfjs-core';

const CELLS = 4;

/**
 * Means of all `maps`, `[N, C, side, side]` each, over 4 x 4 cells (which overlap by a pixel where need be) and overall:
 * `[N, 17 C]`, C those of all maps together.
 */
export function gridMeans(maps: readonly tf.Tensor4D[]): tf.Tensor2D {
  const side = maps[0]!.shape[2];
  const means = tf.reshape(cellMatrix(side), [1, 1, CELLS + 1, side]);
  const all = tf.concat(
    maps.map((some) => tf.matMul(means, tf.matMul(some, means, false, true))),
    1,
  );
  const channels = all.shape[1]!;
  const cells = tf.slice(all, [0, 0, 0, 0], [-1, -1, CELLS, CELLS]);
  const overall = tf.slice(all, [0, 0, CELLS, CELLS], [-1, -1, 1, 1]);
  return tf.concat2d(
    [tf.reshape(cells, [-1, channels * CELLS * CELLS]), tf.reshape(overall, [-1, channels])],
    1,
  );
}

/** Columns of each cell in what `gridMeans` gives of `channels` maps, `times` in a row; those overall are left out. */
export function gridPlaces(channels: number, times: number): number[][] {
  const cells = CELLS * CELLS;
  return Array.from({ length: cells }, (_, cell) =>
    Array.from({ length: times * channels }, (_, i) => {
      const [time, channel] = [Math.floor(i / channels), i % channels];
      return time * channels * (cells + 1) + channel * cells + cell;
    }),
  );
}

/** `[5, side]`: means over each quarter of a line, then over all of it. */
function cellMatrix(side: number): tf.Tensor2D {
  const values = new Float32Array((CELLS + 1) * side).fill(1 / side, CELLS * side);
  for (let i = 0; i < CELLS; i++) {
    const [from, to] = [Math.floor((i * side) / CELLS), Math.ceil(((i + 1) * side) / CELLS)];
    values.fill(1 / (to - from), i * side + from, i * side + to);
  }
  return tf.tensor2d(values, [CELLS + 1, side]);
}
