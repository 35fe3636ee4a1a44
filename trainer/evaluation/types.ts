/** What an evaluation measures of each image, and what it concludes. */
import type { Interval } from '../../agent/inspect/falseAlarms.ts';
import type { RefusedImage } from '../data/load.ts';
import type { Label } from '../data/sample.ts';

/** Simple measures of an image, before and beside any model. Grey values are 0..255. */
export interface Properties {
  /** Of the file. */
  readonly bytes: number;
  /** Size as stored, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Channels as stored: 1 grey, 2 grey and alpha, 3, 4. */
  readonly channels: number;
  /** By content: jpeg, png, ... */
  readonly format: string;
  /** Estimated from the quantisation tables, 1..100; null when it is no JPEG. */
  readonly jpegQuality: number | null;
  /** Of the grey image at 128 x 128 pixels. */
  readonly mean: number;
  readonly deviation: number;
  /** Log of the mean |Laplacian| of its central half. */
  readonly sharpness: number;
  /** Share of the picture taken by uniform rows and columns at its rim, 0..1. */
  readonly border: number;
  /** How much burned-in text the picture seems to hold: share of small high-contrast strokes in its margins, 0..1. */
  readonly text: number;
  /** Grey, uint8 `[32, 32]`, image squeezed: for near copies, mean image and nearest image. */
  readonly thumbnail: Uint8Array;
}

/** What is kept of the good images that a model was made from, to compare test images with. */
export interface Reference {
  /** Training and validation images. */
  readonly train: readonly ReferenceImage[];
  /** Calibration images; their scores are those of the manifest when it comes from a bundle. */
  readonly calibration: readonly (ReferenceImage & { readonly score: number | null })[];
}

export interface ReferenceImage {
  readonly name: string;
  readonly group: string | null;
  readonly sha256: string;
  readonly pictureSha256: string;
  readonly properties: Properties;
}

/** A labelled image with everything that was measured. */
export interface ScoredImage extends ReferenceImage {
  readonly path: string | null;
  readonly label: Label;
  /** Class: `good` or the name of the anomaly. */
  readonly kind: string;
  readonly score: number;
  readonly p: number;
  readonly verdict: 'pass' | 'review';
  /** Place in the order of capture among all images (by time in the file, else by modification time), from 0. */
  readonly order: number;
}

/** A share of images, with its 95 % interval (Wilson). */
export interface Rate extends Interval {
  readonly hits: number;
  readonly count: number;
  readonly value: number;
}

/** A figure with its 95 % bootstrap interval, drawn again by group. */
export interface Estimate extends Interval {
  readonly value: number;
}

export interface Baseline {
  readonly name: string;
  /** What the rule holds for poor, decided before any image was seen. */
  readonly rule: string;
  /** Signed: in that direction; the opposite direction has 1 - this. null: the training images are not at hand. */
  readonly auroc: number | null;
  /**
   * Share of the poor images that the rule catches when it may call as many good ones as the model does at its
   * threshold. null: as above.
   */
  readonly caught: number | null;
}

export interface ClassReport {
  readonly label: Label;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  readonly support: number;
}

/** Detection when the threshold is set so that this share of the good test images is called: by the test itself. */
export interface Detection extends Estimate {
  readonly falseAlarms: number;
}

export interface KindResult {
  readonly kind: string;
  readonly count: number;
  readonly detection: Rate;
  readonly auroc: Estimate | null;
}

export interface Warning {
  /** Stable, for programs: `inverted-score`, `shared-images`, ... */
  readonly code: string;
  readonly severity: 'serious' | 'notable';
  /** One sentence with the figures. */
  readonly message: string;
  /** What to do. */
  readonly advice: string;
  /** The figures by name, for programs. */
  readonly figures: Readonly<Record<string, number | string>>;
}

export interface Evaluation {
  readonly images: readonly Omit<ScoredImage, 'properties'>[];
  readonly refused: readonly RefusedImage[];
  /** Groups found among the images; null when none was given or found, and every image counts alone. */
  readonly groups: number | null;
  /** What `order` of the images follows: time of capture in the file, time of modification, or their names. */
  readonly orderedBy: 'capture' | 'modification' | 'name';
  /** null when one of the two labels has no images. */
  readonly auroc: Estimate | null;
  /** Average precision; its chance level is the share of poor images, `flagEverything`. */
  readonly auprc: Estimate | null;
  /** At 1 %, 5 % and 10 % false alarms. */
  readonly detectionAt: readonly Detection[];
  /** Poor images called for review, at the bundle's threshold. */
  readonly detection: Rate;
  /** Good images called for review. */
  readonly falseAlarms: Rate;
  readonly accuracy: Rate;
  /** Mean of the two recalls: accuracy on a balanced test. */
  readonly balancedAccuracy: number | null;
  /** Accuracy of calling every image for review. */
  readonly flagEverything: number;
  readonly report: readonly ClassReport[];
  readonly kinds: readonly KindResult[];
  readonly baselines: readonly Baseline[];
  readonly warnings: readonly Warning[];
  /** Sentences: what could not be checked, why, and what to give so that it can. */
  readonly unchecked: readonly string[];
}
