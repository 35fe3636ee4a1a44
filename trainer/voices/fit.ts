/** Fits all voices of a recipe to good images. */
import * as tf from '@tensorflow/tfjs-core';
import type { Recipe } from '../../config/recipe.ts';
import type { Detector, FitDetectorOptions, Losses } from '../detectors/detector.ts';
import { fitDetector } from '../detectors/fit.ts';
import { matrixOf } from '../detectors/matrix.ts';
import type { Picture } from '../features.ts';
import { randomFor, shuffled } from '../random.ts';
import { featuresOf } from './composed.ts';
import { logEnergyCells } from './energy.ts';
import { type RobustScale, robustScaleOf } from './fusion.ts';
import { fitLocalModel, type LocalModel } from './map.ts';
import { nameOfVoice, type VoicesModel } from './names.ts';
import { type RunOptions, runTraced } from './run-traced.ts';
import { makeViews, type Views } from './views.ts';

export interface FittedVoice {
  readonly name: string;
  readonly describe: (views: Views) => tf.Tensor2D;
  readonly detector: Detector;
  readonly scale: RobustScale;
}

export interface FittedVoices {
  /** Whether the images have colour, so that views have it. */
  readonly colour: boolean;
  readonly voices: readonly FittedVoice[];
  readonly local: LocalModel;
}

export interface FitVoicesOptions {
  readonly recipe: Recipe & { readonly model: VoicesModel };
  readonly seed: number;
  readonly train: readonly Picture[];
  readonly validation: readonly Picture[];
  readonly run: RunOptions;
  /** When all images have been looked at, and training begins. */
  readonly onFeatures: () => void;
  readonly onBatch: (images: number) => void;
  /** After an epoch of every voice, with the means of their losses. */
  readonly onEpoch: (losses: Losses) => void;
}

/** Images by which levels of noise and colour are measured, and those that the map is fitted to. */
const MEASURED = 150;
const MAPPED = 500;

/** Mean difference between the largest and the smallest channel, 0 to 1, above which images have colour. */
const COLOURFUL = 0.02;

/** Equal input gives equal voices. @throws InterruptedError when it is stopped before the first epoch is done. */
export async function fitVoices(options: FitVoicesOptions): Promise<FittedVoices> {
  const { recipe, seed, train, validation, run } = options;
  const composed = recipe.model.voices.map((voice) => ({
    name: nameOfVoice(voice),
    detector: voice.detector,
    ...featuresOf(voice),
  }));
  const { colour, measured } = await measure(options, composed);
  const described = composed.map(({ name, describe }) => ({
    name,
    describe: (views: Views) => describe(views, measured.get(name) ?? []),
  }));
  const describeAll = (pixels: tf.Tensor) => {
    const views = makeViews(pixels, colour);
    return Object.fromEntries(described.map(({ name, describe }) => [name, describe(views)]));
  };
  const features = await runTraced(describeAll, [...train, ...validation], run);
  const sample = shuffled(train, randomFor(seed, 'map')).slice(0, MAPPED);
  const { cells } = await runTraced(
    (pixels) => ({ cells: logEnergyCells(makeViews(pixels, colour)) }),
    sample,
    { ...run, onImage: () => {} },
  );
  options.onFeatures();
  const detectors = await trainTogether(
    composed.map(({ name, detector }) => {
      const rows = features[name]!;
      const settings: FitDetectorOptions = {
        validation: matrixOf(rows.slice(train.length)),
        ...{ seed, name, signal: run.signal, onBatch: options.onBatch },
        ...{ epochs: recipe.epochs, batchSize: recipe.batchSize },
        learningRate: recipe.optimizer.learningRate,
      };
      return fitDetector(matrixOf(rows.slice(0, train.length)), detector, settings);
    }),
    options.onEpoch,
  );
  const scores = await runTraced(
    (pixels) => {
      const views = makeViews(pixels, colour);
      return Object.fromEntries(
        described.map(({ name, describe }, i) => [name, detectors[i]!.score(describe(views))]),
      );
    },
    validation,
    { ...run, signal: new AbortController().signal, onImage: () => {} },
  );
  return {
    colour,
    local: fitLocalModel(cells!),
    voices: described.map(({ name, describe }, i) => ({
      ...{ name, describe, detector: detectors[i]! },
      scale: robustScaleOf(scores[name]!.map(([score]) => score!)),
    })),
  };
}

/** What `describe` of each voice is given, and whether there is colour: means over some training images. */
async function measure(
  { seed, train, run }: FitVoicesOptions,
  voices: readonly (ReturnType<typeof featuresOf> & { readonly name: string })[],
): Promise<{ colour: boolean; measured: Map<string, number[]> }> {
  const sample = shuffled(train, randomFor(seed, 'measure')).slice(0, MEASURED);
  const results = await runTraced(
    (pixels) => {
      const views = makeViews(pixels, true);
      const { image } = views;
      const measured = voices.flatMap(({ name, measure }) =>
        measure === undefined ? [] : [[name, measure(views)] as const],
      );
      const range = tf.mean(tf.sub(tf.max(image, 1), tf.min(image, 1)), [1, 2]);
      return { ...Object.fromEntries(measured), chroma: tf.expandDims(range, 1) };
    },
    sample,
    { ...run, onImage: () => {} },
  );
  const means = Object.entries(results).map(([name, rows]) => [name, meanOfRows(rows)] as const);
  const measured = new Map(means);
  return { colour: measured.get('chroma')![0]! > COLOURFUL, measured };
}

/** One epoch of each in turn, so that all are trained alike far when training is stopped. */
async function trainTogether(
  trainings: readonly AsyncGenerator<Losses, Detector, void>[],
  onEpoch: (losses: Losses) => void,
): Promise<Detector[]> {
  const detectors: Detector[] = [];
  while (true) {
    const told: Losses[] = [];
    for (const [i, training] of trainings.entries()) {
      if (detectors[i] !== undefined) continue;
      const { done, value } = await training.next();
      if (done) detectors[i] = value;
      else told.push(value);
    }
    if (told.length === 0) return detectors;
    onEpoch({
      loss: mean(told.map(({ loss }) => loss)),
      validationLoss: mean(told.map(({ validationLoss }) => validationLoss)),
    });
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function meanOfRows(rows: readonly Float32Array[]): number[] {
  return Array.from(rows[0] ?? [], (_, column) => mean(rows.map((row) => row[column]!)));
}
