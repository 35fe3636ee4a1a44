/** EfficientNet-Lite (Tan and Le 2019, without squeeze-and-excitation, with ReLU6) in plain TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { TorchTensor } from './pth.ts';

const LITE_TAPS = ['stage1', 'stage2', 'stage3', 'stage4', 'stage5', 'stage6', 'stage7', 'head'] as const;

/** Stride of the first block of each stage; of each other block 1. */
const STRIDES = [1, 2, 2, 2, 1, 2, 1] as const;

/** Of every batch normalization. */
const EPSILON = 1e-3;

/** One convolution with batch normalization folded in. */
interface Layer {
  readonly kind: 'convolution' | 'depthwise';
  readonly filter: tf.Tensor4D;
  readonly bias: tf.Tensor1D;
  readonly stride: 1 | 2;
  /** Clipped to [0, 6] afterwards. */
  readonly clipped: boolean;
}

/** Layers in a row, and whether the input is added to their output. */
interface Block {
  readonly layers: readonly Layer[];
  readonly residual: boolean;
}

/** float32 `[N, h, w, 3]`, scaled -> output at each of the taps, float32; no deeper than the deepest tap. */
export type LiteNetwork = (images: tf.Tensor4D, taps: readonly string[]) => tf.Tensor4D[];

/**
 * @param weights Named as in the EfficientNet-Lite-PyTorch packages.
 * @param repeats Blocks of each of the seven stages.
 * @throws Error when a weight is missing or has another rank than expected.
 */
export function efficientNetLite(
  weights: ReadonlyMap<string, TorchTensor>,
  repeats: readonly number[],
): LiteNetwork {
  const stem = convolution(weights, '_conv_stem', '_bn0', 2, true);
  const head = convolution(weights, '_conv_head', '_bn1', 1, true);
  let index = 0;
  const stages = repeats.map((count, stage) =>
    Array.from({ length: count }, (_, i) =>
      block(weights, `_blocks.${index++}`, i === 0 ? STRIDES[stage]! : 1),
    ),
  );
  return (images, taps) => {
    const wanted = new Set(taps);
    const found = new Map<string, tf.Tensor4D>();
    let x = runLayer(images, stem);
    for (const [stage, blocks] of stages.entries()) {
      if (found.size === wanted.size) break;
      for (const one of blocks) x = runBlock(x, one);
      const name = LITE_TAPS[stage]!;
      if (wanted.has(name)) found.set(name, x);
    }
    if (wanted.has('head')) found.set('head', runLayer(x, head));
    return taps.map((tap) => found.get(tap)!);
  };
}

function block(weights: ReadonlyMap<string, TorchTensor>, name: string, stride: 1 | 2): Block {
  const expands = weights.has(`${name}._expand_conv.weight`);
  const depthwise = convolution(weights, `${name}._depthwise_conv`, `${name}._bn1`, stride, true);
  const project = convolution(weights, `${name}._project_conv`, `${name}._bn2`, 1, false);
  const expand = expands ? [convolution(weights, `${name}._expand_conv`, `${name}._bn0`, 1, true)] : [];
  const layers = [...expand, depthwise, project];
  const [from, to] = [layers[0]!.filter.shape[2], project.filter.shape[3]];
  return { layers, residual: stride === 1 && from === to };
}

function runBlock(x: tf.Tensor4D, { layers, residual }: Block): tf.Tensor4D {
  const y = layers.reduce(runLayer, x);
  return residual ? tf.add(x, y) : y;
}

function runLayer(x: tf.Tensor4D, { kind, filter, bias, stride, clipped }: Layer): tf.Tensor4D {
  const convolved =
    kind === 'depthwise'
      ? tf.depthwiseConv2d(x, filter, stride, 'same')
      : tf.conv2d(x, filter, stride, 'same');
  const y = tf.add<tf.Tensor4D>(convolved, bias);
  return clipped ? tf.relu6(y) : y;
}

/** Folds y = (conv(x) - mean) / sqrt(variance + epsilon) * gamma + beta into the filter and a bias. */
function convolution(
  weights: ReadonlyMap<string, TorchTensor>,
  name: string,
  norm: string,
  stride: 1 | 2,
  clipped: boolean,
): Layer {
  const { shape, data } = weightOf(weights, `${name}.weight`, 4);
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (part) => weightOf(weights, `${norm}.${part}`, 1).data,
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const [outputs, inputs, height, width] = shape as [number, number, number, number];
  if (gamma.length !== outputs)
    throw new Error(
      `${norm} has ${gamma.length} channels, but ${name} has ${outputs}; the weights do not belong together`,
    );
  const scale = gamma.map((g, i) => g / Math.sqrt(variance[i]! + EPSILON));
  const folded = data.map((w, i) => w * scale[Math.floor(i / (inputs * height * width))]!);
  const bias = tf.tensor1d(beta.map((b, i) => b - mean[i]! * scale[i]!));
  const depthwise = name.endsWith('_depthwise_conv');
  const filter = tf.tidy(() => {
    const torch = tf.tensor4d(folded, [outputs, inputs, height, width]);
    // TensorFlow.js wants [height, width, inputs, outputs], depthwise [height, width, channels, 1].
    return tf.transpose(torch, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  });
  return { kind: depthwise ? 'depthwise' : 'convolution', filter, bias, stride, clipped };
}

function weightOf(weights: ReadonlyMap<string, TorchTensor>, name: string, rank: number): TorchTensor {
  const weight = weights.get(name);
  if (weight === undefined) throw new Error(`the weights lack ${name}`);
  if (weight.shape.length !== rank)
    throw new Error(`${name} has shape [${weight.shape}], expected ${rank} axes`);
  return weight;
}
