/** Fits all voices to good images, and once more for every fold without it: so each image is scored unseen. */
import * as tf from '@tensorflow/tfjs-core';
import type { Recipe } from '../../config/recipe.ts';
import type { Detector, Losses } from '../detectors/detector.ts';
import { fitDetectors } from '../detectors/fit.ts';
import { matrixOf } from '../detectors/matrix.ts';
import { InterruptedError } from '../error.ts';
import type { DescribedImages, DescribedVoice } from './describe.ts';
import { type RobustScale, robustScaleOf, robustZOf } from './fusion.ts';
import { fitLocalModel, type LocalModel } from './map.ts';
import type { Views } from './views.ts';

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
  /** Of each voice, from examples; null: all speak alike. */
  readonly weights: readonly number[] | null;
  readonly local: LocalModel;
}

export interface FitVoicesOptions {
  readonly recipe: Pick<Recipe, 'epochs' | 'batchSize' | 'optimizer'>;
  readonly seed: number;
  /** Indices of the images of each fold. */
  readonly folds: readonly (readonly number[])[];
  readonly signal: AbortSignal;
  /** After each step of training, with the rows of features in it. */
  readonly onBatch: (rows: number) => void;
  /** After an epoch, with the loss of the fit to all images; the validation loss is the mean of those of the folds. */
  readonly onEpoch: (losses: { readonly loss: number; readonly validationLoss: number }) => void;
}

export interface CrossFitted {
  /** Fitted to all images. */
  readonly all: FittedVoices;
  /** Fitted to all but each fold, with the scales of `all`: an image of that fold is to it as a new one. */
  readonly without: readonly FittedVoices[];
  /** Robust z of each voice of each image, as the fit without its fold gives it; by fold, in the order of its images. */
  readonly unseen: readonly (readonly number[])[];
}

/** Equal input gives equal voices. @throws InterruptedError when it is stopped. */
export async function fitVoices(images: DescribedImages, options: FitVoicesOptions): Promise<CrossFitted> {
  const { folds } = options;
  const fitted = await fitAll(images.voices, options);
  const unseen = images.voices.map(() => [] as number[]);
  for (const [k, fold] of folds.entries())
    for (const [v, { features }] of images.voices.entries())
      unseen[v]!.push(
        ...(await scoresOf(
          fitted[v]!.without[k]!,
          fold.map((i) => features[i]!),
        )),
      );
  const scales = unseen.map(robustScaleOf);
  const compose = (
    detectorOf: (fitted: FittedFolds) => Detector,
    without: ReadonlySet<number>,
  ): FittedVoices => ({
    colour: images.colour,
    voices: images.voices.map(({ name, describe }, v) => ({
      ...{ name, describe },
      ...{ detector: detectorOf(fitted[v]!), scale: scales[v]! },
    })),
    weights: null,
    local: fitLocalModel([...images.cells].flatMap(([i, cells]) => (without.has(i) ? [] : [cells]))),
  });
  return {
    all: compose(({ all }) => all, new Set()),
    without: folds.map((fold, k) => compose(({ without }) => without[k]!, new Set(fold))),
    unseen: folds.flat().map((_, row) => scales.map((scale, v) => robustZOf(unseen[v]![row]!, scale))),
  };
}

/** The detectors of one voice. */
interface FittedFolds {
  readonly all: Detector;
  readonly without: readonly Detector[];
}

/** Of each voice. One epoch of each in turn. */
async function fitAll(voices: readonly DescribedVoice[], options: FitVoicesOptions): Promise<FittedFolds[]> {
  const { signal, onEpoch } = options;
  const trainings = voices.map((voice) => fitFolds(voice, options));
  const fitted: FittedFolds[] = [];
  while (true) {
    const told: (readonly Losses[])[] = [];
    for (const [i, training] of trainings.entries()) {
      if (fitted[i] !== undefined) continue;
      const { done, value } = await training.next();
      if (!done) told.push(value);
      else fitted[i] = { all: value.at(-1)!, without: value.slice(0, -1) };
    }
    if (signal.aborted) throw new InterruptedError('Interrupted while training.');
    if (told.length === 0) return fitted;
    onEpoch({
      loss: mean(told.map((losses) => losses.at(-1)!.loss)),
      validationLoss: mean(
        told.flatMap((losses) => losses.slice(0, -1).map((without) => without.validationLoss!)),
      ),
    });
  }
}

/** Without each fold, and last of all with all images. */
function fitFolds(
  { name, features, detector, places }: DescribedVoice,
  { recipe, seed, folds, signal, onBatch }: FitVoicesOptions,
): ReturnType<typeof fitDetectors> {
  const rows = (indices: readonly number[]) => matrixOf(indices.map((i) => features[i]!));
  const everything = folds.flat().sort((a, b) => a - b);
  const without = folds.map((fold, k) => {
    const left = new Set(fold);
    const train = everything.filter((i) => !left.has(i));
    return { features: rows(train), validation: rows(fold), name: `${name} without ${k + 1}` };
  });
  return fitDetectors([...without, { features: rows(everything), validation: null, name }], detector, {
    places: places?.(features[0]!.length) ?? null,
    ...{ seed, signal, epochs: recipe.epochs, batchSize: recipe.batchSize },
    learningRate: recipe.optimizer.learningRate,
    onBatch,
  });
}

async function scoresOf(detector: Detector, features: readonly Float32Array[]): Promise<number[]> {
  const scores = tf.tidy(() => {
    const { rows, columns, data } = matrixOf(features);
    return detector.score(tf.tensor2d(data, [rows, columns]));
  });
  const values = await scores.data();
  scores.dispose();
  return [...values];
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
