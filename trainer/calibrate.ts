/** Sets the threshold from good images that training never saw, with the device's own code, and makes the bundle. */
import { type Bundle, makeBundle } from '../agent/inspect/bundle.ts';
import { decode } from '../agent/inspect/decode.ts';
import { openScorer, type Scorer } from '../agent/inspect/score.ts';
import { conformalCount, deriveBounds } from '../agent/inspect/threshold.ts';
import type { Manifest } from '../config/bundle.ts';
import type { Recipe } from '../config/recipe.ts';
import { LIMITS, type LoadedImage } from './data/load.ts';
import { quantile } from './statistics/auroc.ts';
import { falseAlarmRange, type Interval } from './statistics/rates.ts';

/** As on the device: one image at a time, one thread, the CPU. */
export const EXECUTION = { executionProvider: 'cpu', threads: 1 } as const;

/**
 * Largest relative difference of a golden score. Providers differ in the order of their sums and, on GPUs, in the
 * precision of their products (TF32 keeps 10 bits of mantissa: 1e-3); a wrong pixel layout differs by far more.
 */
const GOLDEN_TOLERANCE = 1e-3;

export interface Calibration {
  readonly bundle: Bundle;
  /** Calibration images with their scores, ascending. */
  readonly images: readonly { readonly name: string; readonly score: number }[];
  /** Of the conformal rule: the rate promised, and where it lies in 90 of 100 calibrations of this size. */
  readonly falseAlarms: (Interval & { readonly promised: number }) | null;
  /** Calibration images that the threshold calls for review. */
  readonly above: number;
}

/**
 * Scores the calibration images and the golden images by the exported graph, derives the threshold and puts it all
 * into a bundle. Equal input gives equal bytes.
 * @throws ConfigError when the threshold's rule cannot be had with so few images.
 */
export async function calibrate(
  graph: Uint8Array,
  options: {
    readonly recipe: Recipe;
    readonly images: readonly LoadedImage[];
    readonly golden: readonly Buffer[];
    readonly provenance: Manifest['provenance'];
  },
): Promise<Calibration> {
  const { recipe } = options;
  const scorer = await openScorer(makeBundle(graph, draft(recipe, options.provenance)), EXECUTION);
  try {
    const images: { name: string; score: number }[] = [];
    const peaks: number[] = [];
    for (const { name, pixels } of options.images) {
      const { score, map } = await scorer.score(pixels, 1);
      images.push({ name, score: score[0]! });
      peaks.push(map.reduce((peak, value) => Math.max(peak, value)));
    }
    images.sort((a, b) => a.score - b.score);
    peaks.sort((a, b) => a - b);
    const scores = images.map(({ score }) => score);
    const bounds = deriveBounds(recipe.threshold, scores);
    const bundle = makeBundle(graph, {
      ...draft(recipe, options.provenance),
      calibration: { scores, mapAlarm: Math.max(quantile(peaks, 0.95), Number.EPSILON) },
      threshold: { rule: recipe.threshold, ...bounds, revision: 1 },
      golden: {
        tolerance: GOLDEN_TOLERANCE,
        samples: await Promise.all(options.golden.map((png) => scoreGolden(png, scorer, recipe))),
      },
    });
    const above = scores.filter((s) => s > bounds.upper).length;
    return { bundle, images, falseAlarms: promise(recipe, scores.length), above };
  } finally {
    await scorer.close();
  }
}

async function scoreGolden(png: Buffer, scorer: Scorer, recipe: Recipe) {
  const { pixels } = await decode(png, recipe.input, LIMITS);
  const { score } = await scorer.score(pixels, 1);
  return { png: png.toString('base64'), score: score[0]! };
}

function promise({ threshold }: Recipe, n: number): Calibration['falseAlarms'] {
  if (threshold.rule !== 'conformal') return null;
  return { promised: threshold.alpha, ...falseAlarmRange(conformalCount(threshold.alpha, n), n) };
}

/** A manifest around the graph, before anything was scored: calibration, threshold and golden samples are blanks. */
function draft(recipe: Recipe, provenance: Manifest['provenance']): Omit<Manifest, 'digest'> {
  return {
    format: 1,
    name: recipe.name,
    version: '1',
    intendedUse: recipe.intendedUse,
    preprocessing: recipe.input,
    residual: recipe.residual,
    score: 'mean',
    calibration: { scores: [0], mapAlarm: 1 },
    threshold: { rule: { rule: 'fixed', value: 0 }, upper: 0, lower: null, revision: 1 },
    golden: { tolerance: GOLDEN_TOLERANCE, samples: [{ png: '', score: 0 }] },
    provenance,
  };
}
