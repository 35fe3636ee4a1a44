/** Numbers in a grid, in double precision, each by a formula of its place. */
import * as tf from '@tensorflow/tfjs-core';

export interface Grid {
  readonly shape: readonly number[];
  readonly values: Float64Array;
  /** 0 beyond the grid. */
  at(...place: readonly number[]): number;
}

export function grid(shape: readonly number[], value: (...place: number[]) => number): Grid {
  const places = shape.reduceRight<number[][]>(
    (rest, size) => Array.from({ length: size }, (_, i) => rest.map((place) => [i, ...place])).flat(),
    [[]],
  );
  return gridOf(
    shape,
    places.map((place) => value(...place)),
  );
}

export function gridOf(shape: readonly number[], values: ArrayLike<number>): Grid {
  const numbers = Float64Array.from(values);
  return {
    shape,
    values: numbers,
    at: (...place) => {
      if (place.some((i, axis) => i < 0 || i >= shape[axis]!)) return 0;
      return numbers[place.reduce((flat, i, axis) => flat * shape[axis]! + i, 0)]!;
    },
  };
}

export function gridOfTensor(tensor: tf.Tensor): Grid {
  return gridOf(tensor.shape, tensor.dataSync());
}

export function tensorOf({ shape, values }: Grid): tf.Tensor {
  return tf.tensor(Float32Array.from(values), [...shape]);
}

/** The sum of `term` for whole numbers from 0. */
export function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}
