/** Convolutions that TensorFlow.js lacks or whose settings it passes over: sums over windows, place by place. */
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { type Draw, drawing } from './support/draw.ts';
import { type Grid, grid, sum } from './support/grids.ts';
import { assertFormula, type SavedLayer, savedLayers } from './support/saved_layers.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

type Padding = 'same' | 'valid' | 'causal';

/** Along one axis of space. */
interface Axis {
  readonly length: number;
  readonly kernel: number;
  readonly stride: number;
  readonly rate: number;
  /** Of a transposed convolution; null: Keras chooses. */
  readonly more: number | null;
}

const SHAPES: Readonly<Record<string, number>> = {
  Conv1DTranspose: 1,
  Conv2DTranspose: 2,
  Conv3DTranspose: 3,
};

function drawAxis(d: Draw, padding: Padding, rate: number): Axis {
  const stride = rate === 1 ? d.int(1, 3) : 1;
  const kernel = d.int(Math.max(2, stride), 4);
  // Of the lengths that a convolution of the same window turns back into the input's.
  const possible = Array.from({ length: stride }, (_, more) => more).filter(
    (more) => padding === 'valid' || (2 * Math.floor(kernel / 2) - more >= 0 && stride > more),
  );
  return { length: d.int(2, 4), kernel, stride, rate, more: rate === 1 ? d.pick(possible) : null };
}

/** As Keras documents it. */
function transposedLength({ length, kernel, stride, rate, more }: Axis, padding: Padding): number {
  const window = (kernel - 1) * rate + 1;
  if (more === null)
    return padding === 'same' ? length * stride : length * stride + Math.max(window - stride, 0);
  return (length - 1) * stride + window - (padding === 'same' ? 2 * Math.floor(window / 2) : 0) + more;
}

/** A sum over all places of a grid of these sizes. */
function sumOver(sizes: readonly number[], term: (...place: number[]) => number, ...fixed: number[]): number {
  const [size, ...rest] = sizes;
  if (size === undefined) return term(...fixed);
  return sum(size, (i) => sumOver(rest, term, ...fixed, i));
}

for (const [class_name, dimensions] of Object.entries(SHAPES))
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const d = drawing(seed + 10 * dimensions);
    const padding = seed < 4 ? 'same' : 'valid';
    const rate = seed % 3 === 0 ? 2 : 1;
    const axes = Array.from({ length: dimensions }, () => drawAxis(d, padding, rate));
    const [channels, filters] = [d.int(1, 3), d.int(1, 3)];
    const first = d.pick([true, false]);
    const config = {
      filters,
      kernel_size: axes.map(({ kernel }) => kernel),
      strides: axes.map(({ stride }) => stride),
      dilation_rate: axes.map(() => rate),
      output_padding: rate === 1 ? axes.map(({ more }) => more) : null,
      padding,
      data_format: first ? 'channels_first' : 'channels_last',
      use_bias: true,
      activation: 'linear',
    };
    test(`${class_name} ${JSON.stringify({ ...config, lengths: axes.map(({ length }) => length) })}`, async () => {
      const space = axes.map(({ length }) => length);
      const layer: SavedLayer = {
        ...{ class_name, config },
        weights: { kernel: [...axes.map(({ kernel }) => kernel), filters, channels], bias: [filters] },
      };
      const saved = savedLayers([first ? [channels, ...space] : [...space, channels]], [layer]);
      await assertFormula(saved, ([x], { kernel, bias }) => {
        const lengths = axes.map((axis) => transposedLength(axis, padding));
        const before = axes.map(({ length, kernel, stride }, i) => {
          const whole = (length - 1) * stride + (kernel - 1) * rate + 1;
          return Math.floor(Math.max(whole - lengths[i]!, 0) / 2);
        });
        const given = (n: number, place: number[], c: number) =>
          first ? x!.at(n, c, ...place) : x!.at(n, ...place, c);
        const value = (n: number, place: readonly number[], f: number) =>
          bias!.at(f) +
          sumOver(
            axes.map(({ kernel }) => kernel),
            (...tap) => {
              const from = place.map((o, i) => (o + before[i]! - tap[i]! * rate) / axes[i]!.stride);
              if (!from.every(Number.isInteger)) return 0;
              return sum(channels, (c) => given(n, from, c) * kernel!.at(...tap, f, c));
            },
          );
        const batch = x!.shape[0]!;
        return first
          ? grid([batch, filters, ...lengths], (n, f, ...place) => value(n!, place, f!))
          : grid([batch, ...lengths, filters], (n, ...rest) => value(n!, rest.slice(0, -1), rest.at(-1)!));
      });
    });
  }

/** Each channel of a sequence with filters of its own: [N, steps, channels * multiplier]. */
function depthwise(x: Grid, kernel: Grid, stride: number, rate: number, padding: Padding): Grid {
  const [batch, length, channels] = x.shape as [number, number, number];
  const [taps, , each] = kernel.shape as [number, number, number];
  const reach = (taps - 1) * rate;
  const steps = Math.ceil((length - (padding === 'valid' ? reach : 0)) / stride);
  const total = Math.max((steps - 1) * stride + reach + 1 - length, 0);
  const before = padding === 'causal' ? reach : padding === 'same' ? Math.floor(total / 2) : 0;
  return grid([batch, steps, channels * each], (n, t, c) =>
    sum(
      taps,
      (k) =>
        x.at(n!, t! * stride + k * rate - before, Math.floor(c! / each)) *
        kernel.at(k, Math.floor(c! / each), c! % each),
    ),
  );
}

for (const class_name of ['DepthwiseConv1D', 'SeparableConv1D'])
  for (const padding of ['same', 'valid', 'causal'] as const) {
    const d = drawing(class_name.length + padding.length);
    const [length, channels, taps, each, filters] = [d.int(5, 8), d.int(1, 3), d.int(2, 3), d.int(1, 2), 3];
    const rate = d.int(1, 2);
    const stride = rate === 1 ? d.int(1, 3) : 1;
    const separable = class_name === 'SeparableConv1D';
    test(`${class_name}, ${padding}, stride ${stride}, rate ${rate}`, async () => {
      const config = {
        ...{ kernel_size: [taps], strides: [stride], dilation_rate: [rate], padding, depth_multiplier: each },
        ...{ use_bias: true, activation: 'relu', ...(separable && { filters }) },
      };
      const weights = {
        depthwise_kernel: [taps, channels, each],
        ...(separable && { pointwise_kernel: [1, channels * each, filters] }),
        bias: [separable ? filters : channels * each],
      };
      const saved = savedLayers([[length, channels]], [{ class_name, config, weights }]);
      await assertFormula(saved, ([x], held) => {
        const apart = depthwise(x!, held.depthwise_kernel!, stride, rate, padding);
        const [batch, steps, parts] = apart.shape as [number, number, number];
        const mixed = (n: number, t: number, f: number) =>
          separable
            ? sum(parts, (c) => apart.at(n, t, c) * held.pointwise_kernel!.at(0, c, f))
            : apart.at(n, t, f);
        return grid([batch, steps, held.bias!.shape[0]!], (n, t, f) =>
          Math.max(0, mixed(n!, t!, f!) + held.bias!.at(f!)),
        );
      });
    });
  }
