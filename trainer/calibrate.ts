/** Sets the threshold from good images that training never saw, with the device's own code, and makes the bundle. */
import { type Bundle, makeBundle } from '../agent/inspect/bundle.ts';
import { calibrationOf, type Outputs, outputsOf } from '../agent/inspect/calibration.ts';
import { decode } from '../agent/inspect/decode.ts';
import { type Meaning, whatItMeans } from '../agent/inspect/falseAlarms.ts';
import { openScorer, type Scorer, type Scores } from '../agent/inspect/score.ts';
import { deriveBounds } from '../agent/inspect/threshold.ts';
import type { Manifest } from '../config/bundle.ts';
import type { Recipe } from '../config/recipe.ts';
import { LIMITS, type LoadedImage } from './data/load.ts';
import { TrainerError } from './error.ts';
import type { Picture } from './features.ts';
import type { Tuning } from './metrics.ts';
import { sweepThresholds } from './statistics/sweep.ts';
import type { Measurements } from './train.ts';

/** As on the device: one image at a time, one thread, the CPU. */
export const EXECUTION = { executionProvider: 'cpu', threads: 1 } as const;

/**
 * Largest relative difference of a golden score. Providers differ in the order of their sums and, on GPUs, in the
 * precision of their products (TF32 keeps 10 bits of mantissa: 1e-3); a wrong pixel layout differs by far more.
 */
const GOLDEN_TOLERANCE = 1e-3;

export interface Calibration extends Meaning {
  /** Calibration images with their scores, ascending, and robust z of each voice where there are voices. */
  readonly images: readonly {
    readonly name: string;
    readonly score: number;
    readonly voices?: readonly number[];
  }[];
}

/** Labelled images that were set aside from the test. */
export interface TuningImages {
  readonly good: readonly Picture[];
  readonly poor: readonly Picture[];
}

export interface Calibrated extends Calibration {
  readonly bundle: Bundle;
  readonly tuning: Tuning | null;
  /** In no order. */
  readonly unseen: readonly Unseen[];
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
    /** Groups that the calibration images form. */
    readonly groups: number;
    /** Calibration images, with graphs that did not see them. */
    readonly unseen: readonly { readonly graph: Uint8Array; readonly images: readonly LoadedImage[] }[];
    readonly golden: { readonly real: boolean; readonly pngs: readonly Buffer[] };
    /** The rule f1 sets the threshold by them, see `requireTuning`. */
    readonly tuning: TuningImages;
    readonly provenance: Manifest['provenance'];
    /** Names of the columns of the graph's further outputs; null: it has none. */
    readonly measurements: Measurements | null;
    readonly onImage: () => void;
  },
): Promise<Calibrated> {
  const { recipe } = options;
  const blank = { ...draft(recipe, options.provenance), ...named(options.measurements) };
  const unseen: Unseen[] = [];
  for (const { graph, images } of options.unseen)
    unseen.push(...(await scoreUnseen(makeBundle(graph, blank), images, options.onImage)));
  unseen.sort((a, b) => a.score - b.score);
  const calibration = calibrationOf(blank, unseen);
  const { scores } = calibration;
  const scorer = await openScorer(makeBundle(graph, blank), EXECUTION);
  try {
    const tuning =
      recipe.threshold.rule === 'f1' ? await tune(scorer, options.tuning, options.onImage) : null;
    const bounds =
      tuning === null
        ? deriveBounds(recipe.threshold, scores)
        : { lower: null, upper: tuning.chosen.threshold };
    const bundle = makeBundle(graph, {
      ...blank,
      calibration: {
        ...calibration,
        ...(options.groups < scores.length && { groups: options.groups }),
      },
      threshold: { rule: recipe.threshold, ...bounds, revision: 1 },
      golden: {
        tolerance: GOLDEN_TOLERANCE,
        ...(options.golden.real && { real: true as const }),
        samples: await Promise.all(options.golden.pngs.map((png) => scoreGolden(png, scorer, recipe))),
      },
    });
    const images = unseen.map(({ name, score, voices }) => ({
      ...{ name, score },
      ...(voices !== undefined && { voices: [...voices] }),
    }));
    return { bundle, images, ...whatItMeans(bundle.manifest), tuning, unseen };
  } finally {
    await scorer.close();
  }
}

/** A calibration image as a graph gave it that did not see it. */
export interface Unseen extends Outputs {
  readonly name: string;
  readonly scores: Pick<Scores, 'voices' | 'statistics' | 'map' | 'mapHeight' | 'mapWidth'>;
}

/** What is kept of each image: of a thousand, reconstructions would fill the memory. */
const withoutPixels = ({ reconstruction: _, ...scores }: Scores): Unseen['scores'] => scores;

async function scoreUnseen(
  bundle: Bundle,
  images: readonly LoadedImage[],
  onImage: () => void,
): Promise<Unseen[]> {
  const scorer = await openScorer(bundle, EXECUTION);
  try {
    const unseen: Unseen[] = [];
    for (const { name, pixels } of images) {
      const scores = await scorer.score(pixels, 1);
      unseen.push({ name, ...outputsOf(scores), scores: withoutPixels(scores) });
      onImage();
    }
    return unseen;
  } finally {
    await scorer.close();
  }
}

function named(measurements: Measurements | null): Pick<Manifest, 'voices' | 'statistics'> {
  if (measurements === null) return {};
  const entries = (names: readonly string[]) => names.map((name) => ({ name }));
  return { voices: entries(measurements.voices), statistics: entries(measurements.statistics) };
}

/** To be asked before training begins. @throws TrainerError when the rule needs labelled images that are not there. */
export function requireTuning({ threshold }: Pick<Recipe, 'threshold'>, { good, poor }: TuningImages): void {
  if (threshold.rule !== 'f1' || (good.length > 0 && poor.length > 0)) return;
  throw new TrainerError(
    `The threshold rule f1 needs labelled images of both kinds set aside for tuning; there are ${good.length} good and ${poor.length} poor ones. Give them with --good and --bad and set split.tuning above 0, or use a rule that needs none: --set threshold.rule=conformal.`,
  );
}

async function tune(scorer: Scorer, { good, poor }: TuningImages, onImage: () => void): Promise<Tuning> {
  const scoreAll = async (some: readonly Picture[]) => {
    const scores: number[] = [];
    for (const { pixels } of some) {
      scores.push((await scorer.score(pixels, 1)).score[0]!);
      onImage();
    }
    return scores;
  };
  const swept = sweepThresholds(await scoreAll(good), await scoreAll(poor));
  return { good: good.length, poor: poor.length, ...swept };
}

async function scoreGolden(png: Buffer, scorer: Scorer, recipe: Recipe) {
  const { pixels } = await decode(png, recipe.input, LIMITS);
  const { score } = await scorer.score(pixels, 1);
  return { png: png.toString('base64'), score: score[0]! };
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
    score: recipe.model.kind === 'voices' ? 'voices' : 'mean',
    calibration: { scores: [0], mapAlarm: 1 },
    threshold: { rule: { rule: 'fixed', value: 0 }, upper: 0, lower: null, revision: 1 },
    golden: { tolerance: GOLDEN_TOLERANCE, samples: [{ png: '', score: 0 }] },
    provenance,
  };
}
