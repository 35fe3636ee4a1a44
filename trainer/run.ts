/** One run of the trainer, from a folder of good images to a bundle and what is to be said about it. */
import * as tf from '@tensorflow/tfjs-core';
import { type Bundle, writeBundle } from '../agent/inspect/bundle.ts';
import { type Inspector, loadInspector } from '../agent/inspect/inspect.ts';
import type { Recipe } from '../config/recipe.ts';
import { modelFiles, writeAtomically } from '../convert/files.ts';
import * as announce from './announce.ts';
import { type BackendName, describeBackend, selectBackend } from './backend/select.ts';
import { calibrate, EXECUTION } from './calibrate.ts';
import type { Console } from './console.ts';
import { findFiles, findTestFolders, type TestFolders } from './data/find.ts';
import { LIMITS, type LoadedFolder, type LoadedImage, loadImages, meanColour } from './data/load.ts';
import { describeSplit, splitImages } from './data/split.ts';
import { TrainerError } from './error.ts';
import { type Evaluation, evaluate, findTestFiles } from './evaluate.ts';
import { exportGraph } from './export.ts';
import { fit } from './fit.ts';
import { makeGoldenImages } from './golden.ts';
import type { Metrics } from './metrics.ts';
import { buildConv, summarize } from './models/conv.ts';
import { takePictures } from './report/pictures.ts';
import { renderReport } from './report/report.ts';
import { fingerprintOf, openRunFolder, requireSameRun, runFiles, writeJson } from './run-folder.ts';
import { watchTraining } from './watch-training.ts';

export interface RunOptions {
  /** Folder of good images. */
  readonly folder: string;
  readonly out: string;
  /** Gives the recipe; `before` is that of the run to resume. */
  readonly recipe: (before: Recipe | null) => Promise<Recipe>;
  /** Default: that of the run to resume, else 1. */
  readonly seed: number | undefined;
  /** Folder with `good` and `poor`; default: `test` within `folder`, if it is there. */
  readonly test: string | undefined;
  readonly backend: BackendName | 'auto';
  readonly threads: number;
  /** Cache folder of installed backends. */
  readonly cache: string;
  readonly resume: boolean;
  /** Ends training after the batch; what is there by then is exported all the same. */
  readonly stop: AbortSignal;
  /** As typed, and the versions that ran it: for the report. */
  readonly command: string;
  readonly versions: { readonly trainer: string; readonly node: string };
}

/**
 * Find images -> split -> fit -> export -> calibrate -> evaluate -> report.
 * @throws TrainerError, ConfigError, BackendError or BundleError, saying what was expected, what came, what to do.
 * @throws InterruptedError when it is stopped before there is anything to keep.
 */
export async function runTrainer(options: RunOptions, console: Console): Promise<Metrics> {
  const files = runFiles(options.out);
  const before = await openRunFolder(options.out, options.resume);
  const recipe = await options.recipe(before?.recipe ?? null);
  const seed = options.seed ?? before?.seed ?? 1;
  const record = { format: 1, recipe, seed } as const;
  if (before !== null) requireSameRun(before, record);

  const test = await findTestFolders(options.folder, options.test);
  const loaded = await readImages(options, recipe, test, console);
  const sizes = sizesOf(loaded.images);
  announce.tellImages(console, options.folder, loaded, sizes);
  requireImages(options.folder, loaded);

  const split = splitImages(loaded.images, recipe, seed);
  const sides = describeSplit(split, seed);
  announce.tellSplit(console, split, recipe, seed);

  tf.env().set('PROD', true); // else TensorFlow.js advises to install tfjs-node, whatever runs
  const backend = await selectBackend({
    wanted: options.backend,
    cache: options.cache,
    threads: options.threads,
  });
  console.say(describeBackend(backend));
  const model = buildConv(recipe, seed, meanColour(split.train, recipe.input.channels));
  const layers = summarize(model);
  announce.tellArchitecture(console, layers);
  await writeJson(files.record, record);
  await writeJson(files.split, sides);

  const watch = watchTraining(console, recipe.epochs, split.train.length);
  const fitted = await fit(model, {
    recipe,
    seed,
    split,
    checkpointFile: files.checkpoint,
    fingerprint: fingerprintOf(record, sides, `${backend.got} ${backend.library}`),
    signal: options.stop,
    onBatch: watch.onBatch,
    onEpoch: watch.onEpoch,
  }).finally(watch.end);
  const training = { ...fitted, ...watch.speed() };
  announce.tellTrained(console, training, recipe.epochs);

  await model.save(modelFiles(files.model));
  const graph = exportGraph(model, recipe);

  const data = {
    train: split.train.length,
    validation: split.validation.length,
    calibration: split.calibration.length,
    refused: loaded.refused.length,
    duplicates: split.duplicates.length,
    digest: split.digest,
  };
  const { bundle, ...calibration } = await calibrate(graph, {
    recipe,
    images: split.calibration,
    golden: await makeGoldenImages(split.train, recipe.input, seed),
    provenance: {
      recipe: { ...recipe },
      data,
      seed,
      epochs: fitted.history.length,
      bestEpoch: fitted.best.epoch,
      validationLoss: fitted.best.validationLoss,
      backend: `${backend.got} (${backend.library}, ${backend.device})`,
      trainer: options.versions.trainer,
      encoder: null,
    },
  });
  await writeBundle(files.bundle, bundle);
  const { threshold } = bundle.manifest;
  announce.tellCalibrated(console, calibration, threshold);

  // Opened as a device opens it: this proves the digest and the golden samples of the file as written.
  const inspector = await loadInspector({ bundlePath: files.bundle, limits: LIMITS, ...EXECUTION });
  try {
    const evaluation = await evaluateTest(inspector, test, loaded, seed, console);
    const { wanted, got, why, device, library } = backend;
    const metrics: Metrics = {
      format: 1,
      ...options.versions,
      command: options.command,
      recipe,
      seed,
      backend: { wanted, got, why, device, library },
      data: {
        ...data,
        folder: options.folder,
        found: loaded.images.length + loaded.refused.length,
        refusedFiles: loaded.refused,
        sizes,
      },
      model: { parameters: layers.reduce((sum, { parameters }) => sum + parameters, 0), layers },
      training,
      bundle: describeBundle(bundle),
      calibration: { ...calibration, threshold },
      evaluation: evaluation === null ? null : { folder: test!.folder, ...evaluation },
    };
    await writeJson(files.metrics, metrics);
    const paths = new Map(loaded.images.map(({ name, path }) => [name, path]));
    const pictures = await takePictures(inspector, metrics, paths);
    await writeAtomically(files.report, renderReport(metrics, pictures));
    announce.tellConclusion(console, metrics, files);
    return metrics;
  } finally {
    await inspector.close();
  }
}

async function readImages(
  { folder, stop }: RunOptions,
  { input }: Recipe,
  test: TestFolders | null,
  console: Console,
): Promise<LoadedFolder> {
  const found = await findFiles(folder, test === null ? [] : [test.folder]);
  const bar = console.bar('reading images', found.length);
  return loadImages(found, input, { signal: stop, onImage: () => bar.step(1) }).finally(() => bar.end());
}

function requireImages(folder: string, { images, refused }: LoadedFolder): void {
  if (images.length > 0) return;
  const found = refused.length === 0 ? 'no file' : `${refused.length} files, none of them a usable image`;
  throw new TrainerError(
    `Expected good images in ${folder}, found ${found}. Give a folder of JPEG, PNG, TIFF, WebP or GIF images.`,
  );
}

async function evaluateTest(
  inspector: Inspector,
  test: TestFolders | null,
  { images }: LoadedFolder,
  seed: number,
  console: Console,
): Promise<Evaluation | null> {
  if (test === null) return null;
  const files = await findTestFiles(test);
  const used = new Set(images.map(({ sha256 }) => sha256));
  const bar = console.bar('scoring test images', files.length);
  const evaluation = await evaluate(inspector, files, { seed, used, onImage: () => bar.step(1) });
  bar.end();
  announce.tellEvaluated(console, evaluation);
  return evaluation;
}

function sizesOf(images: readonly LoadedImage[]): Metrics['data']['sizes'] | null {
  const byArea = images.toSorted((a, b) => a.width * a.height - b.width * b.height);
  const say = (image: LoadedImage) => `${image.width} x ${image.height}`;
  if (byArea.length === 0) return null;
  return {
    smallest: say(byArea[0]!),
    median: say(byArea[byArea.length >> 1]!),
    largest: say(byArea.at(-1)!),
  };
}

const describeBundle = ({ manifest, model }: Bundle): Metrics['bundle'] => ({
  digest: manifest.digest,
  bytes: model.length,
  mapAlarm: manifest.calibration.mapAlarm,
});
