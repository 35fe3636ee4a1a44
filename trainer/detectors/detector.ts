/** What a detector is: how far features depart from those of good images, whatever the features are. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from './matrix.ts';

/** A fitted detector: plain numbers, and one function that can be traced. */
export interface Detector {
  /** Features `[N, F]` -> float32 `[N]`, above zero; larger is more anomalous. */
  readonly score: (features: tf.Tensor2D) => tf.Tensor1D;
  /** Numbers that it holds. */
  readonly parameters: number;
  /** Numbers that it is given for each image. */
  readonly features: number;
  /** In words, such as `autoencoder 510-256-32`. */
  readonly description: string;
}

/** Mean squared error of standardised features, on those that train and on those that do not, if there are any. */
export interface Losses {
  readonly loss: number;
  readonly validationLoss: number | null;
}

/** What one detector is fitted to. */
export interface TrainingSet {
  /** Of good images. */
  readonly features: Matrix;
  /** Of good images that are not trained on; they choose nothing. null: all are trained on. */
  readonly validation: Matrix | null;
  /** Of the voice and what it is fitted without: two detectors of one run draw different numbers. */
  readonly name: string;
}

export interface FitDetectorOptions {
  /** Columns of the features of each place in the image, as many of each; null: they belong to none. */
  readonly places: readonly (readonly number[])[] | null;
  readonly seed: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly batchSize: number;
  /** Ends training after the step; what is there by then is the result. */
  readonly signal: AbortSignal;
  /** After each step, with the rows of features in it, of all sets. */
  readonly onBatch: (rows: number) => void;
}

/** Of a detector that has a solution, and needs no steps towards it. */
export type FitDetector<Options> = (
  features: Matrix,
  detector: Options,
  options: Pick<FitDetectorOptions, 'places' | 'seed'> & Pick<TrainingSet, 'name'>,
) => Detector;

/**
 * Fits a detector to each of several sets of one width, side by side: as if each were fitted alone. Yields the losses of
 * all after every epoch, where there are any, and returns the detectors.
 */
export type FitDetectors<Options> = (
  sets: readonly TrainingSet[],
  detector: Options,
  options: FitDetectorOptions,
) => AsyncGenerator<readonly Losses[], readonly Detector[], void>;
