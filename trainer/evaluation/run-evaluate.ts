/** `trainer evaluate`: one bundle, labelled images, a report. */
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Inspector, loadInspector } from '../../agent/inspect/inspect.ts';
import { makeFolder } from '../../config/folder.ts';
import { writeAtomically } from '../../convert/files.ts';
import { EXECUTION } from '../calibrate.ts';
import type { Console } from '../console.ts';
import { labelsAsText } from '../data/kinds.ts';
import { LIMITS } from '../data/load.ts';
import type { LabelledSample, Sample } from '../data/sample.ts';
import { TrainerError } from '../error.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import { counted } from '../report/numbers.ts';
import { takePictures } from '../report/pictures.ts';
import { renderReport } from '../report/report.ts';
import { runFiles, writeJson } from '../run-folder.ts';
import { tellEvaluation } from './announce.ts';
import { describeBundle, describeCalibration } from './describe-bundle.ts';
import type { Mask } from './describe-image.ts';
import { evaluateLabelled } from './evaluate.ts';
import { timedBar } from './progress.ts';
import { type FoundReference, findReference, type RunImages, readRunImages } from './reference.ts';
import { labelledImages, trainingImages } from './sources.ts';
import type { Evaluation } from './types.ts';

export interface EvaluateOptions {
  readonly bundle: string;
  /** Folders of good images. */
  readonly good: readonly string[];
  /** Folders of poor images, each of one kind: `DIR` or `NAME=DIR`. */
  readonly bad: readonly string[];
  /** CSV of `path,label[,group]`. */
  readonly labels: string | undefined;
  /** Folder of the images that the model was trained on; default: the one its run names. */
  readonly train: string | undefined;
  /** Regular expression whose first group, in the name of an image, is its patient. */
  readonly groupBy: string | undefined;
  readonly out: string;
  readonly seed: number;
  /** Ends it after the image; nothing is written then. */
  readonly stop: AbortSignal;
  /** As typed, and the versions that ran it: for the report. */
  readonly command: string;
  readonly versions: { readonly trainer: string; readonly node: string };
}

/**
 * Load as the device does -> find labelled images -> score -> compare -> report.html and metrics.json.
 * @throws TrainerError or BundleError, saying what was expected, what came, what to do.
 * @throws InterruptedError when it is stopped.
 */
export async function runEvaluate(options: EvaluateOptions, console: Console): Promise<EvaluationMetrics> {
  const files = await openOutFolder(options.out);
  const inspector = await loadInspector({ bundlePath: options.bundle, limits: LIMITS, ...EXECUTION });
  try {
    const { manifest } = inspector.bundle;
    console.say(`bundle: ${manifest.name} ${manifest.version} (${manifest.digest}), proven on this machine`);
    const samples = await labelledImages(options);
    console.say(`labelled images: ${labelsAsText(samples)}`);
    const training = await trainingSamples(inspector, options);
    const found = await compareWith(training, manifest.preprocessing.mask, options, console);
    const evaluation = await evaluateLabelled(inspector, samples, { ...found, ...options }, console);
    requireScored(samples, evaluation);
    const metrics: EvaluationMetrics = {
      format: 1,
      ...options.versions,
      command: options.command,
      seed: options.seed,
      bundle: describeBundle(inspector.bundle),
      calibration: describeCalibration(inspector.bundle, found.reference),
      evaluation: { ...evaluation, sources: sourcesOf(options) },
    };
    const readers = new Map([...training.samples, ...samples].map((s) => [s.name, () => s.read()]));
    const pictures = await takePictures(inspector, metrics, readers);
    await writeAtomically(files.report, renderReport(metrics, pictures));
    await writeJson(files.metrics, metrics);
    tellEvaluation(console, metrics);
    console.say(`\nreport: ${files.report}`);
    return metrics;
  } finally {
    await inspector.close();
  }
}

interface Training {
  readonly folder: string | undefined;
  readonly samples: readonly Sample[];
  readonly run: RunImages | null;
}

/** Training images from --train, else from where the run beside the bundle found them, if they still are there. */
async function trainingSamples(inspector: Inspector, options: EvaluateOptions): Promise<Training> {
  const run = await readRunImages(options.bundle, inspector.bundle.manifest);
  if (options.train !== undefined)
    return { folder: options.train, samples: await trainingImages(options.train, options), run };
  if (run === null || !(await isThere(run.folder))) return { folder: undefined, samples: [], run };
  return { folder: run.folder, samples: await trainingImages(run.folder, options), run };
}

async function compareWith(
  { folder, samples, run }: Training,
  mask: Mask,
  options: EvaluateOptions,
  console: Console,
): Promise<FoundReference> {
  const bar = timedBar(console, 'reading training images', samples.length);
  const found = await findReference(
    samples,
    { run, mask },
    {
      signal: options.stop,
      onImage: bar.onImage,
    },
  ).finally(bar.end);
  if (found.reference !== null) {
    const { train, calibration } = found.reference;
    console.say(
      train.length === 0
        ? `compared with: ${calibration.length} images in ${folder} that trained and calibrated it`
        : `compared with: ${train.length} training and ${calibration.length} calibration images in ${folder}`,
    );
  }
  return found;
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** @throws TrainerError when no image could be scored of those that were given as good, or of those given as poor. */
function requireScored(samples: readonly LabelledSample[], { images, refused }: Evaluation): void {
  for (const label of ['good', 'poor'] as const) {
    const given = new Set(samples.filter((sample) => sample.label === label).map(({ name }) => name));
    if (given.size === 0 || images.some((image) => image.label === label)) continue;
    const first = refused.find(({ name }) => given.has(name))!;
    throw new TrainerError(
      `None of the ${counted(given.size, 'file')} labelled ${label} is an image that a device could score (${first.name}: ${first.reason}). Give JPEG, PNG, TIFF, WebP, GIF or DICOM images.`,
    );
  }
}

const sourcesOf = ({ good, bad, labels }: EvaluateOptions): string[] => [
  ...good.map((folder) => `good: ${folder}`),
  ...bad.map((folder) => `poor: ${folder}`),
  ...(labels === undefined ? [] : [`labels: ${labels}`]),
];

/** @throws TrainerError when an evaluation or a run is in it already, or nothing can be written. */
async function openOutFolder(folder: string): Promise<{ report: string; metrics: string }> {
  const { report, metrics } = runFiles(folder);
  for (const file of [report, metrics])
    if (await isThere(file))
      throw new TrainerError(
        `${folder} holds a run or an evaluation already (${path.basename(file)}), and none is overwritten. Choose another --out, or delete it.`,
      );
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new TrainerError(`The folder ${folder} cannot be written (${code}). Choose another --out.`, {
      cause,
    });
  }
  return { report, metrics };
}
