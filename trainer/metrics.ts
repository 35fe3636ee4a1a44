/** Everything a run found out, as `metrics.json` holds it and the report draws it. */
import type { Recipe } from '../config/recipe.ts';
import type { Threshold } from '../config/threshold.ts';
import type { Calibration } from './calibrate.ts';
import type { RefusedImage } from './data/load.ts';
import type { Trials } from './defects/types.ts';
import type { Evaluation } from './evaluation/types.ts';
import type { Fitted } from './fit.ts';
import type { LayerSummary } from './models/summary.ts';
import type { Overlay } from './overlays/find.ts';
import type { Quantization } from './quantize/types.ts';
import type { Suspicious } from './suspicious.ts';
import type { RankedExamples } from './voices/weights.ts';

/** Of `trainer evaluate`, and the part of `trainer fit` that is alike. */
export interface EvaluationMetrics {
  readonly format: 1;
  readonly trainer: string;
  readonly node: string;
  /** As typed. */
  readonly command: string;
  readonly seed: number;
  readonly bundle: {
    readonly name: string;
    readonly intendedUse: string;
    readonly digest: string;
    readonly bytes: number;
    readonly mapAlarm: number;
    /** What of the images that it was made from it carries along, in words. */
    readonly holds: string;
    /** Pixels that the model sees. */
    readonly input: Recipe['input'];
    readonly residual: Recipe['residual'];
    readonly encoder: { readonly name: string; readonly source: string; readonly licence: string } | null;
  };
  readonly calibration: Calibration & { readonly threshold: Threshold };
  /** Where the labelled images came from, as given; null: none. */
  readonly evaluation: (Evaluation & { readonly sources: readonly string[] }) | null;
}

/** Of `trainer fit`. */
export interface Metrics extends EvaluationMetrics {
  readonly recipe: Recipe;
  readonly backend: {
    readonly wanted: string;
    readonly got: string;
    readonly why: string;
    readonly device: string;
    readonly library: string;
  };
  readonly data: {
    readonly folder: string;
    readonly found: number;
    readonly refused: number;
    readonly refusedFiles: readonly RefusedImage[];
    readonly duplicates: number;
    /** As stored, `width x height`, by area. */
    readonly sizes: { readonly smallest: string; readonly median: string; readonly largest: string } | null;
    /** Of images stored with 16 bits a channel, all with values of so few that they look nearly black; null: none such. */
    readonly significantBits: number | null;
    readonly train: number;
    readonly validation: number;
    readonly calibration: number;
    readonly digest: string;
  };
  readonly model: {
    readonly parameters: number;
    readonly layers: readonly LayerSummary[];
    readonly compute: Compute;
  };
  readonly training: Fitted & { readonly seconds: number; readonly imagesPerSecond: number };
  /** How the rule f1 came to its threshold; null: another rule. */
  readonly tuning: Tuning | null;
  /** What poor examples changed; null: none were given. */
  readonly examples: UsedExamples | null;
  /** The most unusual of the images that set the threshold, for a look, most unusual first. */
  readonly suspicious: readonly Suspicious[];
  /** Text that the device burns into its pictures. */
  readonly overlays: readonly Overlay[];
  /** What it finds of planted defects; null: not tried, which it is where the model is of voices. */
  readonly defects: Trials | null;
  /** What 8-bit integers cost and gain; null: not asked for. */
  readonly quantization: Quantization | null;
}

/** Weights of voices from poor examples. */
export interface Weighting extends RankedExamples {
  /** In the order of the voices, mean 1. */
  readonly weights: readonly { readonly voice: string; readonly weight: number }[];
}

export interface UsedExamples extends Weighting {
  readonly folder: string;
  readonly images: number;
  readonly refused: readonly RefusedImage[];
  readonly copies: number;
  /** Labelled images left out of the test, as they are examples or of the group of one. */
  readonly leftOut: number;
  readonly digest: string;
}

/** What one image costs. */
export interface Compute {
  /** Of convolutions and matrix products in the graph, for one image. */
  readonly multiplyAdds: number;
  /** Median of the graph alone, one thread, in milliseconds. */
  readonly milliseconds: number;
}

/** Precision, recall and F1 over all thresholds on the tuning half of the labelled images. */
export interface Tuning {
  readonly good: number;
  readonly poor: number;
  /** Ascending thresholds; at most 200. */
  readonly sweep: readonly {
    readonly threshold: number;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  }[];
  readonly chosen: { readonly threshold: number; readonly f1: number };
}
