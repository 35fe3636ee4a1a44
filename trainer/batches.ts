/** Images as the batches that TensorFlow.js trains on. Only one batch at a time is held as floats. */
import * as tf from '@tensorflow/tfjs-core';
import type { Recipe } from '../config/recipe.ts';
import type { Features, Picture } from './features.ts';
import type { Autoencoder, Images } from './models/autoencoder.ts';
import type { Random } from './random.ts';

/** Its tensors belong to whoever asked for it. */
export interface Batch {
  readonly images: Images;
  /** Of the frozen encoder, if there is one. */
  readonly features: tf.Tensor | null;
  /** One for each input of the model. */
  readonly xs: tf.Tensor[];
  /** One for each output of the model. */
  readonly ys: tf.Tensor[];
}

export interface BatchOptions {
  readonly autoencoder: Autoencoder;
  readonly recipe: Pick<Recipe, 'input' | 'batchSize'>;
  readonly features: Features | null;
}

/** What `model.fitDataset` takes. */
export interface Dataset {
  readonly size: number;
  iterator(): Promise<{ next(): Promise<IteratorResult<{ xs: tf.Tensor[]; ys: tf.Tensor[] }>> }>;
}

/** The pictures in their order; `random` is for what the model draws for its inputs. */
export function* batchesOf(
  pictures: readonly Picture[],
  random: Random,
  options: BatchOptions,
): Generator<Batch, undefined> {
  const { batchSize } = options.recipe;
  for (let start = 0; start < pictures.length; start += batchSize)
    yield makeBatch(pictures.slice(start, start + batchSize), random, options);
}

/** A data set of `size` pictures; `passOf` gives the batches of each pass over them. */
export function datasetOf(
  size: number,
  batchSize: number,
  passOf: () => Iterator<Batch, undefined>,
): Dataset {
  return {
    size: Math.ceil(size / batchSize),
    async iterator() {
      const batches = passOf();
      return {
        async next() {
          const { done, value } = batches.next();
          if (done || value === undefined) return { done: true, value: undefined };
          const { images, features, xs, ys } = value;
          const fed = [...xs, ...ys];
          for (const tensor of [images, features])
            if (tensor !== null && !fed.includes(tensor)) tensor.dispose();
          return { done: false, value: { xs, ys } };
        },
      };
    },
  };
}

function makeBatch(
  pictures: readonly Picture[],
  random: Random,
  { autoencoder, recipe, features }: BatchOptions,
): Batch {
  return tf.tidy(() => {
    const images = imagesOf(pictures, recipe.input);
    const encoded = features === null ? null : featuresOf(pictures, features, autoencoder);
    // tidy keeps what is in the record; a null in it is no tensor, which its type does not know
    return {
      images,
      features: encoded,
      xs: autoencoder.inputs(images, encoded, random),
      ys: autoencoder.targets(images),
    } as Batch & tf.TensorContainerObject;
  });
}

/** Bytes 0..255 as floats 0..1: float32 `[N, height, width, channels]`, or `[N, frames, ...]` for more than one frame. */
export function imagesOf(
  pictures: readonly Picture[],
  { width, height, channels, frames }: Recipe['input'],
): Images {
  const size = frames * height * width * channels;
  const values = new Float32Array(pictures.length * size);
  for (const [i, { pixels }] of pictures.entries())
    for (let j = 0; j < size; j++) values[i * size + j] = pixels[j]! / 255;
  const shape = [height, width, channels];
  return tf.tensor(values, frames === 1 ? [pictures.length, ...shape] : [pictures.length, frames, ...shape]);
}

function featuresOf(pictures: readonly Picture[], features: Features, { encoder }: Autoencoder): tf.Tensor {
  const shape = encoder!.outputShape;
  const size = shape.reduce((product, n) => product * n, 1);
  const values = new Float32Array(pictures.length * size);
  for (const [i, picture] of pictures.entries()) values.set(features.get(picture)!, i * size);
  return tf.tensor(values, [pictures.length, ...shape]);
}
