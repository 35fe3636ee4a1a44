/** Refuses models that cannot be built for their input, or that could not but copy it. */
import { ConfigError } from '../../config/errors.ts';
import type { Model, Recipe } from '../../config/recipe.ts';
import { nameOfVoice, seesThroughEncoder, type VoicesModel, voicesOf } from '../voices/names.ts';
import { EDGE } from '../voices/views.ts';
import { pooledSizes } from './blocks.ts';
import { type ConvolutionalModel, poolOf, smallestMap } from './conv.ts';

/** @throws ConfigError with what to change. */
export function checkConvolutional(recipe: Recipe): void {
  const { input } = recipe;
  const model = recipe.model as ConvolutionalModel;
  const pool = poolOf(model);
  if (pool.length !== model.filters.length)
    throw new ConfigError(
      `model.pool has ${pool.length} numbers for the ${model.filters.length} blocks of model.filters. Give one for each, such as ${JSON.stringify(model.filters.map((_, i) => pool[i] ?? 2))}.`,
    );
  const sizes = pooledSizes([input.height, input.width], pool);
  for (const [i, factor] of pool.entries()) {
    const [height, width] = sizes[i]!;
    if (factor <= Math.max(height, width)) continue;
    throw new ConfigError(
      `Block ${i + 1} would reduce by ${factor} what is ${width} x ${height} pixels by then. Use fewer blocks (model.filters), smaller steps (model.pool) or a larger input.`,
    );
  }
  const values = input.height * input.width * input.channels;
  const [height, width, channels] = smallestMap(recipe);
  const bottleneck = model.latent ?? height * width * channels;
  if (bottleneck >= values) throw copies(bottleneck, values, 'model.pool, model.filters or model.latent');
}

/** @throws ConfigError with what to change. */
export function checkDense({ input, model }: Recipe): void {
  const { units } = model as Extract<Model, { kind: 'dense' }>;
  const values = input.height * input.width * input.channels;
  const bottleneck = Math.min(...units);
  if (bottleneck >= values) throw copies(bottleneck, values, 'model.units');
}

/** @throws ConfigError with what to change. */
export function checkVoices({ input, model, split, residual, loss }: Recipe): void {
  const { voices, encoder, encoderVoices } = model as VoicesModel;
  if (split.folds === undefined)
    throw new ConfigError('Voices are calibrated by cross-validation. Use --set split.folds=5.');
  if (residual !== 'squared' || loss !== undefined)
    throw new ConfigError(
      'Voices measure the squared residual of features, and no other. Use --set residual=squared and no loss.',
    );
  if (input.width !== EDGE || input.height !== EDGE || input.channels !== 3)
    throw new ConfigError(
      `Voices look at ${EDGE} x ${EDGE} pixels in RGB, the input has ${input.width} x ${input.height} and ${input.channels} channels. Use --set input.width=${EDGE} --set input.height=${EDGE} --set input.channels=3.`,
    );
  const names = voicesOf(model as VoicesModel).map(nameOfVoice);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ConfigError(`model.voices has ${twice} twice. Leave one of them out, or change its view.`);
  if (encoder === undefined && voices.some(seesThroughEncoder))
    throw new ConfigError(
      'model.voices has a voice that sees through an encoder, but there is none: set model.encoder, or give --encoder.',
    );
  if (encoder !== undefined && ![...voices, ...encoderVoices].some(seesThroughEncoder))
    throw new ConfigError(
      `No voice sees through the encoder ${encoder}. Give model.encoderVoices such as [{"voice":"encoder","detector":{"kind":"mahalanobis"}}].`,
    );
}

/** For a bottleneck of so many numbers that it need not leave out anything. */
export function copies(bottleneck: number, values: number, keys: string): ConfigError {
  return new ConfigError(
    `The bottleneck has ${bottleneck} numbers, the image ${values} values: such a model can copy any image and finds nothing. Change ${keys} so that it is smaller.`,
  );
}
