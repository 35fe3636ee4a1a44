/** From split images to the graph of voices: features, detectors, export. */
import type { Recipe } from '../config/recipe.ts';
import * as announce from './announce.ts';
import type { EpochRecord } from './checkpoint.ts';
import { measureCompute } from './compute.ts';
import type { Console } from './console.ts';
import { STEPS } from './detectors/autoencoder.ts';
import { InterruptedError } from './error.ts';
import { timedBar } from './evaluation/progress.ts';
import type { LayerSummary } from './models/summary.ts';
import type { Trained, TrainOptions } from './train.ts';
import { exportVoices } from './voices/export.ts';
import { type FittedVoices, fitVoices } from './voices/fit.ts';
import { MAP } from './voices/map.ts';
import type { VoicesModel } from './voices/names.ts';
import { STATISTICS } from './voices/statistics.ts';
import { watchTraining } from './watch-training.ts';

/** @throws InterruptedError when it is stopped before the first epoch is done: nothing is worth keeping by then. */
export async function trainVoices(options: TrainOptions, console: Console): Promise<Trained> {
  const { seed, split, threads, stop } = options;
  const recipe = options.recipe as Recipe & { readonly model: VoicesModel };
  const bar = timedBar(console, 'looking at images', split.train.length + split.validation.length);
  const watch = watchTraining(console, recipe.epochs, imagesInEpoch(recipe, split.train.length));
  const history: EpochRecord[] = [];
  let lap = performance.now();
  const fitted = await fitVoices({
    ...{ recipe, seed, train: split.train, validation: split.validation },
    run: { threads, signal: stop, onImage: bar.onImage },
    onFeatures() {
      bar.end();
      watch.begin();
      lap = performance.now();
    },
    onBatch: (images) => watch.onBatch(history.length + 1, images),
    onEpoch(losses) {
      const seconds = (performance.now() - lap) / 1000;
      lap = performance.now();
      history.push({ epoch: history.length + 1, ...losses, seconds, labelled: null });
      watch.onEpoch(history.at(-1)!, false);
    },
  }).finally(() => {
    bar.end();
    watch.end();
  });
  if (stop.aborted && history.length === 0 && trains(recipe))
    throw new InterruptedError('Interrupted before the first epoch was done.');

  const training = {
    ...{ history, resumedFrom: 0 },
    best: { epoch: history.length, validationLoss: history.at(-1)?.validationLoss ?? 0 },
    interrupted: trains(recipe) && history.length < recipe.epochs,
    ...watch.speed(),
  };
  announce.tellTrained(console, training, recipe.epochs);
  const layers = describeVoices(fitted);
  announce.tellArchitecture(console, layers);
  const graph = exportVoices(fitted);
  const compute = await measureCompute(graph, recipe.input);
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  announce.tellCompute(console, parameters, compute);
  return {
    ...{ graph, training },
    model: { parameters, layers, compute },
    encoder: null,
    measurements: { voices: fitted.voices.map(({ name }) => name), statistics: STATISTICS },
  };
}

/** Whether anything is trained epoch by epoch. */
const trains = ({ model }: { readonly model: VoicesModel }): boolean =>
  model.voices.some(({ detector }) => detector.kind === 'autoencoder');

/** Rows of features that all autoencoders together are fed in one epoch. */
function imagesInEpoch(recipe: Recipe & { readonly model: VoicesModel }, images: number): number {
  const trained = recipe.model.voices.filter(({ detector }) => detector.kind === 'autoencoder').length;
  return trained * STEPS * Math.min(recipe.batchSize, images);
}

function describeVoices({ voices, local }: FittedVoices): LayerSummary[] {
  return [
    ...voices.map(({ name, detector: { description, features, parameters } }) => ({
      ...{ name, kind: description, parameters },
      shape: [features],
    })),
    { name: 'map', kind: 'gaussian of each cell', shape: [MAP, MAP], parameters: local.parameters },
  ];
}
