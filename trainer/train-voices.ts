/** From good images to the graph of voices: features, detectors, export; once more for every fold without it. */
import type { Recipe } from '../config/recipe.ts';
import { trace } from '../convert/trace.ts';
import * as announce from './announce.ts';
import type { EpochRecord } from './checkpoint.ts';
import { measureCompute, measureMilliseconds } from './compute.ts';
import type { Console } from './console.ts';
import { divideIntoFolds } from './data/folds.ts';
import { STEPS } from './detectors/autoencoder.ts';
import { type OpenedNetwork, openNetwork } from './encoders/open.ts';
import { timedBar } from './evaluation/progress.ts';
import type { Weighting } from './metrics.ts';
import type { LayerSummary } from './models/summary.ts';
import type { Trained, TrainOptions } from './train.ts';
import { featuresOf } from './voices/composed.ts';
import { type DescribedImages, type DescribedVoice, describeImages } from './voices/describe.ts';
import { exportVoices, scoreImages } from './voices/export.ts';
import { type CrossFitted, type FittedVoices, fitVoices } from './voices/fit.ts';
import { MAP } from './voices/map.ts';
import { seesThroughEncoder, type VoicesModel, voicesOf } from './voices/names.ts';
import { IMAGE, runTraced } from './voices/run-traced.ts';
import { findSiblings } from './voices/siblings.ts';
import { STATISTICS } from './voices/statistics.ts';
import { EDGE, makeViews } from './voices/views.ts';
import { rankExamples, weighVoices } from './voices/weights.ts';
import { watchTraining } from './watch-training.ts';

/** @throws InterruptedError when it is stopped: it takes a minute, and a part of it is worth nothing. */
export async function trainVoices(options: TrainOptions, console: Console): Promise<Trained> {
  const { seed, split, threads, stop } = options;
  const recipe = options.recipe as Recipe & { readonly model: VoicesModel };
  const images = split.train;
  await options.begin();
  const network = await openThrough(recipe, options, console);
  const looking = timedBar(console, 'looking at images', images.length);
  const run = { threads, signal: stop, onImage: looking.onImage };
  const described = await describeImages({ ...recipe, network }, images, seed, run).finally(looking.end);

  const siblings = await findSiblings(spread(described));
  const { folds, groups, largest } = divideIntoFolds(
    images.map((image, i) => image.sample.group ?? split.groupOf.get(image) ?? `#${i}`),
    siblings,
    recipe.split.folds!, // required by checkModel
    seed,
  );
  announce.tellSiblings(console, images.length, groups, siblings.length);
  announce.tellDominant(console, images.length, largest);
  const watch = watchTraining(console, recipe.epochs, rowsOfEpoch(recipe, images.length, folds.length + 1));
  const history: EpochRecord[] = [];
  watch.begin();
  let lap = performance.now();
  const fitted = await fitVoices(described, {
    ...{ recipe, seed, folds, signal: stop },
    onBatch: (rows) => watch.onBatch(history.length + 1, rows),
    onEpoch(losses) {
      const seconds = (performance.now() - lap) / 1000;
      lap = performance.now();
      history.push({ epoch: history.length + 1, ...losses, seconds, labelled: null });
      watch.onEpoch(history.at(-1)!, false);
    },
  }).finally(watch.end);
  const best = { epoch: history.length, validationLoss: history.at(-1)?.validationLoss ?? 0 };
  const training = { history, best, resumedFrom: 0, interrupted: false, ...watch.speed() };
  const layers = describeVoices(fitted.all);
  announce.tellArchitecture(console, layers);
  const weighting = await weigh(fitted, options);
  const weights = weighting?.weights.map(({ weight }) => weight) ?? null;
  const graph = exportVoices({ ...fitted.all, weights });
  const compute = await measureCompute(graph, recipe.input);
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  announce.tellCompute(console, parameters, compute);
  return {
    ...{ graph, training, groups, weighting },
    unseen: fitted.without.map((voices, k) => ({
      graph: exportVoices({ ...voices, weights }),
      images: folds[k]!.map((i) => images[i]!),
    })),
    model: { parameters, layers, compute },
    encoder: network?.origin ?? null,
    measurements: { voices: fitted.all.voices.map(({ name }) => name), statistics: STATISTICS },
  };
}

/** The encoder of the recipe, and what it costs, told before the work begins; null: the recipe has none. */
async function openThrough(
  { model, input }: Recipe & { readonly model: VoicesModel },
  { split, surroundings }: TrainOptions,
  console: Console,
): Promise<OpenedNetwork | null> {
  if (model.encoder === undefined) return null;
  const network = await openNetwork(model.encoder, EDGE, surroundings);
  announce.tellEncoder(console, network);
  const through = voicesOf(model).filter(seesThroughEncoder);
  const graph = trace(
    (image) => {
      const views = makeViews(image!, true);
      const features = through.map((voice) => {
        const { measure, describe } = featuresOf(voice, network);
        return measure === undefined ? describe(views, []) : measure(views); // which costs as much
      });
      return Object.fromEntries(features.map((tensor, i) => [`features${i}`, tensor]));
    },
    [IMAGE],
  );
  announce.tellEncoderCost(console, await measureMilliseconds(graph, input), split.train.length);
  return network;
}

/** Poor examples as seen by the fit to all good images, against these as seen by fits that did not see them. */
async function weigh(
  { all, unseen }: CrossFitted,
  { examples, threads, stop }: TrainOptions,
): Promise<Weighting | null> {
  if (examples.length === 0) return null;
  const run = { threads, signal: stop, onImage: () => {} };
  const rows = await runTraced((pixels) => ({ voices: scoreImages(pixels, all).voices }), examples, run);
  const weights = weighVoices(unseen, rows.voices!);
  return {
    weights: all.voices.map(({ name }, v) => ({ voice: name, weight: weights[v]! })),
    ...rankExamples(unseen, rows.voices!),
  };
}

/** Of the voice `energy`, which tells siblings best, or else of the one with the most features. */
function spread({ voices }: DescribedImages): readonly Float32Array[] {
  const width = ({ features }: DescribedVoice) => features[0]!.length;
  const widest = voices.toSorted((a, b) => width(b) - width(a))[0]!;
  return (voices.find(({ name }) => name === 'energy') ?? widest).features;
}

const trained = ({ model }: { readonly model: VoicesModel }): number =>
  voicesOf(model).filter(({ detector }) => detector.kind === 'autoencoder').length;

/** Rows of features that all autoencoders together, each in so many fits, are fed in one epoch. */
const rowsOfEpoch = (
  { model, batchSize }: Recipe & { readonly model: VoicesModel },
  images: number,
  fits: number,
): number => trained({ model }) * fits * STEPS * Math.min(batchSize, images);

function describeVoices({ voices, local }: FittedVoices): LayerSummary[] {
  return [
    ...voices.map(({ name, detector: { description, features, parameters } }) => ({
      ...{ name, kind: description, parameters },
      shape: [features],
    })),
    { name: 'map', kind: 'gaussian of each cell', shape: [MAP, MAP], parameters: local.parameters },
  ];
}
