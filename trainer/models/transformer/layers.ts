/** What a transformer needs and TensorFlow.js has no layer for. Tokens are float32 `[N, tokens, width]`. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

type Shape = tfl.Shape;
type Config = tf.serialization.ConfigDict;
type Arguments = { name?: string };

/** Lets `tf.loadLayersModel` read models with these layers; doing it again changes nothing. */
export function registerTransformerLayers(): void {
  for (const layer of [Positions, HiddenTokens, Attention, TokenNormalization, VisiblePatches])
    tf.serialization.registerClass(layer);
}

/**
 * Adds where a token's patch lies: fixed sines and cosines (Vaswani et al. 2017), the first half of the width for the
 * row and the second for the column (as He et al. 2022 do it). The width must be a multiple of 4.
 */
export class Positions extends tfl.layers.Layer {
  static readonly className = 'PatchPositions';
  readonly #rows: number;
  readonly #columns: number;

  constructor(args: Arguments & { rows: number; columns: number }) {
    super(args);
    this.#rows = args.rows;
    this.#columns = args.columns;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const tokens = single(inputs);
      const width = tokens.shape.at(-1)!;
      return tf.add(
        tokens,
        tf.tensor(positions(this.#rows, this.#columns, width), [1, ...tokens.shape.slice(1)]),
      );
    });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), rows: this.#rows, columns: this.#columns };
  }
}

/** [tokens, hidden `[N, tokens]`] -> tokens, with one learned token in the place of the hidden ones. */
export class HiddenTokens extends tfl.layers.Layer {
  static readonly className = 'HiddenTokens';
  readonly #seed: number;
  #token: tfl.LayerVariable | undefined;

  constructor(args: Arguments & { seed: number }) {
    super(args);
    this.#seed = args.seed;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [tokens] = inputShape as Shape[];
    const initializer = tfl.initializers.randomNormal({ mean: 0, stddev: 0.02, seed: this.#seed });
    this.#token = this.addWeight('token', [tokens!.at(-1)!], 'float32', initializer);
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [tokens, hidden] = inputs as [tf.Tensor, tf.Tensor];
      const mask = tf.expandDims(hidden, 2);
      return tf.add(tf.mul(tokens, tf.sub(1, mask)), tf.mul(this.#token!.read(), mask));
    });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), seed: this.#seed };
  }
}

/** [queries, keys, values] -> softmax(q k^T / sqrt(width of a head)) v for each head (Vaswani et al. 2017). */
export class Attention extends tfl.layers.Layer {
  static readonly className = 'MultiHeadAttention';
  readonly #heads: number;

  constructor(args: Arguments & { heads: number }) {
    super(args);
    this.#heads = args.heads;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [queries, keys, values] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor];
      const [images, tokens, width] = queries.shape as [number, number, number];
      const side = width / this.#heads;
      // [N, tokens, width] -> [N, heads, tokens, side]
      const split = (x: tf.Tensor) =>
        tf.transpose(tf.reshape(x, [images, tokens, this.#heads, side]), [0, 2, 1, 3]);
      const scores = tf.matMul(tf.mul(split(queries), 1 / Math.sqrt(side)), split(keys), false, true);
      const mixed = tf.matMul(tf.softmax(scores), split(values));
      return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [images, tokens, width]);
    });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), heads: this.#heads };
  }
}

/**
 * Layer normalization of each token (Ba et al. 2016), epsilon 1e-6. TensorFlow.js' own layer repeats its weights for
 * every token with tf.tile, whose gradient is a slice and an addition for each repeat: training on 16 images
 * of 64 patches recorded 37,000 kernels a step with it, 2,300 with this.
 */
export class TokenNormalization extends tfl.layers.Layer {
  static readonly className = 'TokenNormalization';
  #scale: tfl.LayerVariable | undefined;
  #offset: tfl.LayerVariable | undefined;

  override build(inputShape: Shape | Shape[]): void {
    const width = (inputShape as Shape).at(-1)!;
    this.#scale = this.addWeight('scale', [width], 'float32', tfl.initializers.ones());
    this.#offset = this.addWeight('offset', [width], 'float32', tfl.initializers.zeros());
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const tokens = single(inputs);
      const centred = tf.sub(tokens, tf.mean(tokens, -1, true));
      const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-6));
      return tf.add(tf.mul(tf.div(centred, deviation), this.#scale!.read()), this.#offset!.read());
    });
  }
}

/** [predicted patches, patches, hidden `[N, tokens]`] -> the predicted ones where hidden, elsewhere the given ones. */
export class VisiblePatches extends tfl.layers.Layer {
  static readonly className = 'VisiblePatches';

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [predicted, given, hidden] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor];
      const mask = tf.expandDims(hidden, 2);
      return tf.add(tf.mul(predicted, mask), tf.mul(given, tf.sub(1, mask)));
    });
  }
}

function single(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  return Array.isArray(inputs) ? inputs[0]! : inputs;
}

/** Row-major [rows x columns, width]. */
function positions(rows: number, columns: number, width: number): Float32Array {
  const quarter = width / 4;
  const values = new Float32Array(rows * columns * width);
  for (let token = 0; token < rows * columns; token++)
    [Math.floor(token / columns), token % columns].forEach((place, axis) => {
      for (let i = 0; i < quarter; i++) {
        const angle = place / 10_000 ** (i / quarter);
        const at = token * width + axis * 2 * quarter + i;
        values[at] = Math.sin(angle);
        values[at + quarter] = Math.cos(angle);
      }
    });
  return values;
}
