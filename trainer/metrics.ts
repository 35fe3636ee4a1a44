/** Everything a run found out, as `metrics.json` holds it and the report draws it. */
import type { Recipe } from '../config/recipe.ts';
import type { Threshold } from '../config/threshold.ts';
import type { Calibration } from './calibrate.ts';
import type { RefusedImage } from './data/load.ts';
import type { Evaluation } from './evaluate.ts';
import type { Fitted } from './fit.ts';
import type { LayerSummary } from './models/conv.ts';

export interface Metrics {
  readonly format: 1;
  readonly trainer: string;
  readonly node: string;
  /** As typed. */
  readonly command: string;
  readonly recipe: Recipe;
  readonly seed: number;
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
    readonly train: number;
    readonly validation: number;
    readonly calibration: number;
    readonly digest: string;
  };
  readonly model: { readonly parameters: number; readonly layers: readonly LayerSummary[] };
  readonly training: Fitted & { readonly seconds: number; readonly imagesPerSecond: number };
  readonly bundle: { readonly digest: string; readonly bytes: number; readonly mapAlarm: number };
  readonly calibration: Omit<Calibration, 'bundle'> & { readonly threshold: Threshold };
  readonly evaluation: (Evaluation & { readonly folder: string }) | null;
}
