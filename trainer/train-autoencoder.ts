/** From split images to the graph of an autoencoder: encoder, model, training, export. */
import { modelFiles } from '../convert/files.ts';
import * as announce from './announce.ts';
import { measureCompute } from './compute.ts';
import type { Console } from './console.ts';
import { countGroups } from './data/groups.ts';
import { meanColour } from './data/load.ts';
import { openEncoder, openTaps } from './encoders/open.ts';
import { TrainerError } from './error.ts';
import { checkExport, exportGraph } from './export.ts';
import { fit } from './fit.ts';
import { buildAutoencoder } from './models/build.ts';
import { summarize } from './models/summary.ts';
import { requireQuantizableGraph } from './quantize/quantize.ts';
import type { Trained, TrainOptions } from './train.ts';
import { watchTraining } from './watch-training.ts';

/** Largest relative difference between scores of TensorFlow.js and of the graph that rounding explains. */
const PARITY = 1e-4;

/** @throws TrainerError, EncoderError or ConfigError; InterruptedError when it is stopped before the first batch. */
export async function trainAutoencoder(options: TrainOptions, console: Console): Promise<Trained> {
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
  if (options.quantize) requireQuantizableGraph(exportGraph(autoencoder, recipe, { taps }));
  await options.begin();

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
    weighting: null,
    measurements: null,
    unseen: [{ graph, images: split.calibration }],
    groups: countGroups(split.calibration, split.groupOf),
    encoder: encoder?.origin ?? (recipe.residual === 'perceptual' ? perceptual!.origin : null),
  };
}
