/** `trainer recalibrate`: a new bundle with the weights of an old one, calibrated on good images of another site. */
import { writeBundle } from '../../agent/inspect/bundle.ts';
import { calibrationOf } from '../../agent/inspect/calibration.ts';
import { type Meaning, whatItMeans } from '../../agent/inspect/falseAlarms.ts';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import { besideOf, calledBy, recalibrateBundle, requireFree } from '../../agent/inspect/recalibrate.ts';
import { smallestAlpha } from '../../agent/inspect/threshold.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { Threshold, ThresholdRule } from '../../config/threshold.ts';
import { EXECUTION } from '../calibrate.ts';
import type { Console } from '../console.ts';
import { samplesIn } from '../data/find.ts';
import { groupByName } from '../data/groups.ts';
import { LIMITS, type RefusedImage } from '../data/load.ts';
import { calibrationNeeded } from '../data/needed.ts';
import type { Sample } from '../data/sample.ts';
import { TrainerError } from '../error.ts';
import { timedBar } from '../evaluation/progress.ts';
import { readRunImages } from '../evaluation/reference.ts';
import type { Change } from '../recipe-keys.ts';
import { changeRule } from './rule.ts';
import { type GoodImage, type ScoredGood, scoreGood } from './score-good.ts';
import { type DescribedShift, findShifts } from './shifts.ts';
import { tellRecalibrated, tellScored } from './tell.ts';

export interface RecalibrateOptions {
  readonly bundle: string;
  /** Folders of good images. */
  readonly good: readonly string[];
  /** Default: `NAME-recalibrated.onnx` beside the bundle. */
  readonly out: string | undefined;
  /** Regular expression whose first group, in the name of an image, is its patient. */
  readonly groupBy: string | undefined;
  /** Of the threshold's rule. */
  readonly changes: readonly Change[];
  /** Ends it after the image; nothing is written then. */
  readonly stop: AbortSignal;
}

export interface Recalibrated {
  readonly format: 1;
  readonly bundle: { readonly file: string; readonly digest: string };
  readonly from: { readonly file: string; readonly digest: string };
  readonly images: number;
  /** Patients, as --group-by tells them; null: not given. */
  readonly groups: number | null;
  readonly refused: readonly RefusedImage[];
  readonly copies: number;
  readonly known: number;
  readonly threshold: { readonly before: Threshold; readonly now: Threshold };
  /** How many of the new images each threshold calls for review. */
  readonly called: { readonly before: number; readonly now: number };
  /** Of the conformal rule: the rate promised, and where it lies in 90 of 100 calibrations of this size. */
  readonly falseAlarms: Meaning['falseAlarms'];
  readonly shifts: readonly DescribedShift[];
}

/**
 * Load as the device does -> score -> compare with the old calibration -> new bundle, opened again as a device opens it.
 * @throws TrainerError, ConfigError or BundleError, saying what was expected, what came, what to do.
 * @throws InterruptedError when it is stopped.
 */
export async function runRecalibrate(options: RecalibrateOptions, console: Console): Promise<Recalibrated> {
  const out = options.out ?? besideOf(options.bundle);
  await requireFree(out);
  const inspector = await loadInspector({ bundlePath: options.bundle, limits: LIMITS, ...EXECUTION });
  try {
    const { manifest } = inspector.bundle;
    console.say(`bundle: ${manifest.name} ${manifest.version} (${manifest.digest}), proven on this machine`);
    const rule = changeRule(manifest.threshold.rule, options.changes);
    const samples = await goodSamples(options);
    requireEnough(rule, samples.length, 'files');
    const run = await readRunImages(options.bundle, manifest);
    const bar = timedBar(console, 'scoring good images', samples.length);
    const scored = await scoreGood(inspector, samples, new Set(run?.sides.keys()), {
      signal: options.stop,
      onImage: bar.onImage,
    }).finally(bar.end);
    const groups = options.groupBy === undefined ? null : countGroups(scored.images);
    tellScored(console, scored, groups);
    requireUsable(scored);
    requireEnough(rule, scored.images.length, 'usable images');

    const bundle = recalibrateBundle(inspector.bundle, scored.images, rule, groups);
    await requireFree(out);
    await writeBundle(out, bundle);
    await proveWritten(out);
    const { called, falseAlarms } = whatItMeans(bundle.manifest);
    const result: Recalibrated = {
      format: 1,
      bundle: { file: out, digest: bundle.manifest.digest },
      from: { file: options.bundle, digest: manifest.digest },
      ...scored,
      images: scored.images.length,
      groups,
      threshold: { before: manifest.threshold, now: bundle.manifest.threshold },
      called: { before: calledBy(inspector.bundle, bundle.manifest.calibration.scores), now: called },
      falseAlarms,
      shifts: findShifts(manifest.calibration, byGroup(manifest, scored.images)),
    };
    tellRecalibrated(console, result);
    return result;
  } finally {
    await inspector.close();
  }
}

async function goodSamples({ good, groupBy }: RecalibrateOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const folder of good) samples.push(...(await samplesIn(folder)));
  return groupBy === undefined ? samples : groupByName(samples, groupBy);
}

/** @throws TrainerError naming the smallest alpha, or that the rule needs labelled images. */
function requireEnough(rule: ThresholdRule, count: number, what: string): void {
  if (rule.rule === 'f1')
    throw new TrainerError(
      'The threshold of this bundle was tuned on labelled images (rule f1), and good images alone cannot give it again. Choose a rule that needs none: --set threshold.rule=conformal.',
    );
  const needed = Math.max(1, calibrationNeeded(rule));
  if (count >= needed) return;
  if (rule.rule === 'conformal' && count > 0)
    throw new TrainerError(
      `alpha ${rule.alpha} needs at least ${needed} good images, and there are ${count} ${what}. The smallest alpha that can be had with them is ${smallestAlpha(count)}: use --set threshold.alpha=${smallestAlpha(count)}, or give more images.`,
    );
  throw new TrainerError(
    `Recalibration needs at least ${needed} good images, and there are ${count} ${what}. Give a folder of good images with --good DIR.`,
  );
}

function requireUsable({ images, refused, known }: ScoredGood): void {
  if (images.length > 0) return;
  const first = refused[0];
  const why = first === undefined ? '' : ` (${first.name}: ${first.message})`;
  throw new TrainerError(
    `No image is left to calibrate on: ${refused.length} files are no images that a device could score${why}, ${known} are images that the model was made from. Give good images of the other site.`,
  );
}

/** Groups, and images without one. */
function countGroups(images: readonly GoodImage[]): number {
  return new Set(images.map(({ group, sha256 }) => group ?? sha256)).size;
}

/** As `calibrationOf`, of one image of each group, so that many pictures of one patient weigh as one. */
function byGroup(manifest: Manifest, images: readonly GoodImage[]): Manifest['calibration'] {
  const groups = Map.groupBy(images, ({ group, sha256 }) => group ?? sha256);
  return calibrationOf(
    manifest,
    [...groups.values()].map((some) => some.toSorted((a, b) => a.score - b.score)[some.length >> 1]!),
  );
}

/** This proves the digest and the golden samples of the file as written. */
async function proveWritten(file: string): Promise<void> {
  const inspector = await loadInspector({ bundlePath: file, limits: LIMITS, ...EXECUTION });
  await inspector.close();
}
