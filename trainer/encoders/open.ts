/** Pretrained encoders, ready for models and residuals. */
import * as tf from '@tensorflow/tfjs-core';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { Recipe } from '../../config/recipe.ts';
import { traceShapes } from '../../convert/trace.ts';
import type { FrozenEncoder, Images } from '../models/autoencoder.ts';
import { encodeAll } from './encodeAll.ts';
import { EncoderError } from './error.ts';
import type { InstallSurroundings } from './install.ts';
import { loadNetwork } from './load.ts';
import { type Network, SCALINGS } from './network.ts';
import { scaled } from './scaling.ts';
import { checkTaps, spreadOver } from './taps.ts';

export interface OpenEncoderOptions {
  /** Layer whose output is wanted; default: the last one. */
  readonly tap?: string | undefined;
  readonly input: Pick<Preprocessing, 'width' | 'height' | 'channels' | 'frames'>;
  readonly surroundings: InstallSurroundings;
  /** Of `encodeAll`. */
  readonly threads: number;
}

export interface OpenedEncoder extends FrozenEncoder {
  /** `[h, w, c]`. */
  readonly outputShape: readonly [number, number, number];
  readonly tap: string;
  /** All that could have been chosen, in order. */
  readonly taps: readonly string[];
  /** What a user should know: its input size and scaling, and which of that was assumed. */
  readonly notes: readonly string[];
}

/**
 * Opens an encoder by name, path or URL; one known by name, or named by a URL, is installed on first use. TensorFlow.js
 * needs a current backend. Images are resized inside the graph (bilinear) to the encoder's own size, unless it takes any
 * and theirs suits it; grey is repeated to three channels.
 *
 * @throws EncoderError that says what is wrong and what to do.
 */
export async function openEncoder(encoder: string, options: OpenEncoderOptions): Promise<OpenedEncoder> {
  const { input, surroundings, threads } = options;
  if (input.frames !== 1)
    throw new EncoderError('A pretrained encoder sees one frame; set input.frames to 1.');
  const network = await loadNetwork(encoder, surroundings);
  const tap = options.tap ?? network.taps.at(-1)!;
  checkTaps(network.origin.name, [tap], network.taps);
  const encode = (images: Images) => runNetwork(network, images, [tap])[0]!;
  const { width, height, channels } = input;
  const shape = [null, height, width, channels];
  const { features } = traceShapes(
    (x) => ({ features: encode(x) }),
    [{ name: 'image', shape: [1, ...shape.slice(1)] }],
  );
  const outputShape = features!.slice(1) as [number, number, number];
  return {
    outputShape,
    tap,
    taps: network.taps,
    notes: notesOf(network, input),
    origin: network.origin,
    encode,
    encodeAll: (pixels, onImage) =>
      encodeAll({ encode, size: [height, width, channels], outputShape, threads }, pixels, onImage),
  };
}

/** An encoder through which any images are seen. */
export interface OpenedNetwork extends Pick<Network, 'origin' | 'taps'> {
  /** As of `OpenedEncoder`. */
  readonly notes: readonly string[];
  /** Two taps that still see detail, where none are named. */
  readonly localTaps: readonly string[];
  /**
   * `Images` of three channels, or grey -> output at each tap, float32 `[N, h, w, c]`; plain TensorFlow.js.
   * @throws EncoderError when it has no such tap.
   */
  readonly run: (images: Images, taps: readonly string[]) => tf.Tensor4D[];
}

/**
 * As `openEncoder`, for images of `side` x `side` pixels that are made within a graph.
 * @throws EncoderError that says what is wrong and what to do.
 */
export async function openNetwork(
  encoder: string,
  side: number,
  surroundings: InstallSurroundings,
): Promise<OpenedNetwork> {
  const network = await loadNetwork(encoder, surroundings);
  const { origin, taps, perceptualTaps } = network;
  return {
    ...{ origin, taps },
    localTaps: (perceptualTaps.length > 0 ? perceptualTaps : spreadOver(taps)).slice(-2),
    notes: notesOf(network, { width: side, height: side }),
    run: (images, wanted) => {
      checkTaps(origin.name, wanted, taps);
      return runNetwork(network, images, wanted);
    },
  };
}

/**
 * The taps of a recipe's perceptual residual: `Images` -> float32 `[N, h, w, c]` at each tap, frames counted as images
 * of their own; gradients flow through it.
 *
 * @throws EncoderError when gradients do not flow through the encoder, or it has no such tap.
 */
export async function openTaps(
  perceptual: NonNullable<Recipe['perceptual']>,
  surroundings: InstallSurroundings,
): Promise<{ taps: (images: Images) => tf.Tensor4D[]; origin: Network['origin'] }> {
  const network = await loadNetwork(perceptual.encoder, surroundings);
  if (!network.differentiable)
    throw new EncoderError(
      `${network.origin.name} is an ONNX file, through which no gradients flow. The perceptual residual needs an encoder by name or a TensorFlow.js model.`,
    );
  const names = perceptual.taps ?? network.perceptualTaps;
  checkTaps(network.origin.name, names, network.taps);
  return { taps: (images) => runNetwork(network, images, names), origin: network.origin };
}

/** Repeats grey, resizes, scales, runs. */
function runNetwork(network: Network, images: Images, taps: readonly string[]): tf.Tensor4D[] {
  return tf.tidy(() => {
    const stills = images.rank === 5 ? tf.reshape(images, [-1, ...images.shape.slice(2)]) : images;
    const colour = (stills.shape[3] === 1 ? tf.tile(stills, [1, 1, 1, 3]) : stills) as tf.Tensor4D;
    const [, height, width] = colour.shape;
    const size = inputSize(network, { width, height });
    const same = size.width === width && size.height === height;
    const resized = same ? colour : tf.image.resizeBilinear(colour, [size.height, size.width], false, true);
    return network.run(scaled(resized, network.scaling), taps);
  });
}

/** A network of any size takes an image as it is whose sides are multiples of its stride and not smaller than this. */
const STEP = 32;
const SMALLEST = 96;

function inputSize(
  { input }: Pick<Network, 'input'>,
  given: { width: number; height: number },
): { width: number; height: number } {
  const suits = (side: number) => side % STEP === 0 && side >= SMALLEST;
  const taken = !input.fixed && suits(given.width) && suits(given.height);
  return taken ? given : input;
}

function notesOf(network: Network, input: { width: number; height: number }): string[] {
  const size = inputSize(network, input);
  const resized = size.width !== input.width || size.height !== input.height;
  const scaling = `input scaling ${network.scaling}: ${SCALINGS[network.scaling]}`;
  return [
    `sees ${size.width} x ${size.height} pixels${resized ? `, resized from ${input.width} x ${input.height}` : ''}`,
    network.scalingIsAssumed
      ? `${scaling}. This is an assumption: \`trainer encoder install PATH --as NAME --scaling ...\` states another one`
      : scaling,
  ];
}
