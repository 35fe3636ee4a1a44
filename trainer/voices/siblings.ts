/** Finds images that are far more alike than images of this device are otherwise: one subject, captured again. */
import * as tf from '@tensorflow/tfjs-core';
import { matrixOf, rowOf } from '../detectors/matrix.ts';
import { standardiseMatrix, standardOf } from '../detectors/standardise.ts';

/**
 * Two images are siblings when they are less than this share as far from each other as from their neighbour of rank
 * `RANK`: a ratio of distances, as in Lowe 2004. Measured on seven data sets: with images that have siblings most
 * nearest neighbours lie at a share of 0.02 to 0.4, without at 0.6 to 0.9.
 */
const CLOSE = 0.5;

/** Of all images, how far out the neighbour is that tells how alike images are otherwise. */
const RANK = 0.1;

/** Fewer images than this do not tell how alike images are otherwise. */
const FEWEST = 20;

/** Rows compared at once. */
const BLOCK = 256;

/** Pairs of siblings, by index, of `features` of images: one row each. */
export async function findSiblings(features: readonly Float32Array[]): Promise<[number, number][]> {
  if (features.length < FEWEST) return [];
  const all = matrixOf(features);
  const standardised = standardiseMatrix(all, standardOf(all));
  const { rows, columns, data } = standardised;
  const squares = Float32Array.from({ length: rows }, (_, i) =>
    rowOf(standardised, i).reduce((sum, value) => sum + value * value, 0),
  );
  const memory = tf.tensor2d(data, [rows, columns]);
  const candidates: { pair: [number, number]; distance: number }[] = [];
  const levels = new Float64Array(rows);
  try {
    for (let start = 0; start < rows; start += BLOCK) {
      const count = Math.min(BLOCK, rows - start);
      const products = tf.tidy(() =>
        tf.matMul(tf.slice(memory, [start, 0], [count, -1]), memory, false, true),
      );
      const values = await products.data();
      products.dispose();
      for (let i = start; i < start + count; i++) {
        const distances = Float64Array.from({ length: rows }, (_, j) =>
          Math.sqrt(Math.max(0, squares[i]! + squares[j]! - 2 * values[(i - start) * rows + j]!)),
        );
        levels[i] = distances.toSorted()[Math.max(1, Math.floor(RANK * rows))]!; // rank 0 is the image itself
        for (let j = 0; j < i; j++)
          if (distances[j]! < CLOSE * levels[i]!) candidates.push({ pair: [j, i], distance: distances[j]! });
      }
    }
  } finally {
    memory.dispose();
  }
  return candidates.flatMap(({ pair, distance }) => (distance < CLOSE * levels[pair[0]]! ? [pair] : []));
}
