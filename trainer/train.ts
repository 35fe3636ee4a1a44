/** From split images to a trained graph: encoder, model, training, export. */

import type { Recipe } from '../config/recipe.ts';
import { modelFiles } from '../convert/files.ts';
import * as announce from './announce.ts';
import { measureCompute } from './compute.ts';
import type { Console } from './console.ts';
import { meanColour } from './data/load.ts';
import type { Split } from './data/split.ts';
import type { InstallSurroundings } from './encoders/install.ts';
import { openEncoder, openTaps } from './encoders/open.ts';
import { TrainerError } from './error.ts';
import { checkExport, exportGraph } from './export.ts';
import type { Picture } from './features.ts';
import { fit } from './fit.ts';
import type { Metrics } from './metrics.ts';
import type { FrozenEncoder } from './models/autoencoder.ts';
import { buildAutoencoder } from './models/build.ts';
import { summarize } from './models/summary.ts';
import { watchTraining } from './watch-training.ts';

export interface TrainOptions {
  readonly recipe: Recipe;
  readonly seed: number;
  readonly split: Pick<Split, 'train' | 'validation'>;
  /** Told after every epoch, used for nothing. */
  readonly labelled: { readonly good: readonly Picture[]; readonly poor: readonly Picture[] } | null;
  /** Folder of the trained TensorFlow.js model. */
  readonly modelFolder: string;
  readonly checkpointFile: string;
  readonly fingerprint: string;
  readonly surroundings: InstallSurroundings;
  readonly threads: number;
  readonly stop: AbortSignal;
}

export interface Trained {
  /** Serialised ONNX, see `exportGraph`. */
  readonly graph: Uint8Array;
  readonly training: Metrics['training'];
  readonly model: Metrics['model'];
  /** Of the pretrained encoder in the graph; null: none. */
  readonly encoder: FrozenEncoder['origin'] | null;
}

/** Largest relative difference between scores of TensorFlow.js and of the graph that rounding explains. */
const PARITY = 1e-4;

/** @throws TrainerError, EncoderError or ConfigError; InterruptedError when it is stopped before the first batch. */
export async function train(options: TrainOptions, console: Console): Promise<Trained> {
  const { recipe, seed, split, surroundings, threads } = options;
  const { model: kind, input } = recipe;
  const encoder =
    kind.kind === 'pretrained'
      ? await openEncoder(kind.encoder, { tap: kind.tap, input, surroundings, threads })
      : null;
  if (encoder !== null) announce.tellEncoder(console, encoder);
  const perceptual = [recipe.loss, recipe.residual].includes('perceptual')
    ? await openTaps(recipe.perceptual ?? { encoder: 'efficientnet-lite0' }, surroundings)
    : null;
  const taps = perceptual?.taps ?? null;
  const autoencoder = buildAutoencoder(recipe, seed, {
    meanColour: meanColour(split.train, input.channels),
    encoder,
  });
  const layers = summarize(autoencoder.model);
  announce.tellArchitecture(console, layers);

  const watch = watchTraining(console, recipe.epochs, split.train.length);
  const fitted = await fit(autoencoder, {
    ...{ recipe, seed, split, taps },
    labelled: options.labelled,
    checkpointFile: options.checkpointFile,
    fingerprint: options.fingerprint,
    signal: options.stop,
    onFeature: watch.onFeature,
    onBatch: watch.onBatch,
    onEpoch: watch.onEpoch,
  }).finally(watch.end);
  const training = { ...fitted, ...watch.speed() };
  announce.tellTrained(console, training, recipe.epochs);

  await autoencoder.model.save(modelFiles(options.modelFolder));
  const graph = exportGraph(autoencoder, recipe, { taps });
  const difference = await checkExport(graph, autoencoder, recipe, split.validation.slice(0, 8), { taps });
  if (!(difference <= PARITY))
    throw new TrainerError(
      `The exported graph is wrong: its scores differ from those of TensorFlow.js by ${difference.toExponential(1)} (relative), where rounding explains ${PARITY}. No bundle was written; the trained model is in ${options.modelFolder}. Please report this with the recipe.`,
    );
  announce.tellExported(console, difference);
  const compute = await measureCompute(graph, input);
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  announce.tellCompute(console, parameters, compute);
  return {
    graph,
    training,
    model: { parameters, layers, compute },
    encoder: encoder?.origin ?? (recipe.residual === 'perceptual' ? perceptual!.origin : null),
  };
}
