/** Fits all voices to good images, and once more for every fold without it: so each image is scored unseen. */
import * as tf from '@tensorflow/tfjs-core';
import type { Recipe } from '../../config/recipe.ts';
import type { Detector, Losses } from '../detectors/detector.ts';
import { fitDetector } from '../detectors/fit.ts';
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
  /** After each step of training, with the images in it, in the fit without a fold (from 0), or with all (null). */
  readonly onBatch: (images: number, fold: number | null) => void;
  /** After an epoch of the fit with all images; the validation loss is the mean of those of the folds. */
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
  const { folds, onEpoch } = options;
  const everything = folds.flat().sort((a, b) => a - b);
  const unseen = images.voices.map(() => [] as number[]);
  const lossesOf: number[][] = [];
  const detectors: Detector[][] = [];
  for (const [k, fold] of folds.entries()) {
    const left = new Set(fold);
    const losses: number[] = [];
    const fitted = await fitAll(
      images.voices,
      everything.filter((i) => !left.has(i)),
      fold,
      { ...options, fold: k },
      ({ validationLoss }) => losses.push(validationLoss!),
    );
    lossesOf.push(losses);
    detectors.push(fitted);
    for (const [v, { features }] of images.voices.entries())
      unseen[v]!.push(
        ...(await scoresOf(
          fitted[v]!,
          fold.map((i) => features[i]!),
        )),
      );
  }
  let epoch = 0;
  const final = await fitAll(images.voices, everything, null, { ...options, fold: null }, ({ loss }) => {
    onEpoch({ loss, validationLoss: mean(lossesOf.map((losses) => losses[epoch]!)) });
    epoch += 1;
  });
  const scales = unseen.map(robustScaleOf);
  const compose = (fitted: readonly Detector[], without: ReadonlySet<number>): FittedVoices => ({
    colour: images.colour,
    voices: images.voices.map(({ name, describe }, v) => ({
      ...{ name, describe },
      ...{ detector: fitted[v]!, scale: scales[v]! },
    })),
    weights: null,
    local: fitLocalModel([...images.cells].flatMap(([i, cells]) => (without.has(i) ? [] : [cells]))),
  });
  return {
    all: compose(final, new Set()),
    without: detectors.map((fitted, k) => compose(fitted, new Set(folds[k]))),
    unseen: folds.flat().map((_, row) => scales.map((scale, v) => robustZOf(unseen[v]![row]!, scale))),
  };
}

/** A detector for each voice. One epoch of each in turn. */
async function fitAll(
  voices: readonly DescribedVoice[],
  train: readonly number[],
  validation: readonly number[] | null,
  options: FitVoicesOptions & { readonly fold: number | null },
  onEpoch: (losses: Losses) => void,
): Promise<Detector[]> {
  const { recipe, seed, signal, fold, onBatch } = options;
  const rows = ({ features }: DescribedVoice, indices: readonly number[]) =>
    matrixOf(indices.map((i) => features[i]!));
  const trainings = voices.map((voice) =>
    fitDetector(rows(voice, train), voice.detector, {
      places: voice.places?.(voice.features[0]!.length) ?? null,
      validation: validation === null ? null : rows(voice, validation),
      ...{ seed, signal, epochs: recipe.epochs, batchSize: recipe.batchSize },
      learningRate: recipe.optimizer.learningRate,
      name: fold === null ? voice.name : `${voice.name} without ${fold + 1}`,
      onBatch: (images) => onBatch(images, fold),
    }),
  );
  const detectors: Detector[] = [];
  while (true) {
    const told: Losses[] = [];
    for (const [i, training] of trainings.entries()) {
      if (detectors[i] !== undefined) continue;
      const { done, value } = await training.next();
      if (done) detectors[i] = value;
      else told.push(value);
    }
    if (signal.aborted) throw new InterruptedError('Interrupted while training.');
    if (told.length === 0) return detectors;
    onEpoch({
      loss: mean(told.map(({ loss }) => loss)),
      validationLoss: validation === null ? null : mean(told.map((losses) => losses.validationLoss!)),
    });
  }
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
