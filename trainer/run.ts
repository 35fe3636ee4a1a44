/** One run of the trainer, from a folder of good images to a bundle and what is to be said about it. */
import * as tf from '@tensorflow/tfjs-core';
import { writeBundle } from '../agent/inspect/bundle.ts';
import { loadInspector } from '../agent/inspect/inspect.ts';
import type { Manifest } from '../config/bundle.ts';
import { removeEmpty } from '../config/folder.ts';
import type { Recipe } from '../config/recipe.ts';
import { writeAtomically } from '../convert/files.ts';
import * as announce from './announce.ts';
import { type BackendName, describeBackend, selectBackend } from './backend/select.ts';
import { calibrate, EXECUTION, requireTuning } from './calibrate.ts';
import type { Console } from './console.ts';
import { requireVoices } from './data/examples.ts';
import { type Gathered, type GivenLabels, gatherSamples } from './data/gather.ts';
import { LIMITS, type LoadedFolder, loadSamples, requireImages } from './data/load.ts';
import type { Label, Sample } from './data/sample.ts';
import { describeSplit, type Split, splitImages } from './data/split.ts';
import { significantBitsOf, sizesOf } from './data/stored.ts';
import { tryPlanted } from './defects/try-planted.ts';
import { describeTraining } from './describe-training.ts';
import type { PipSurroundings } from './encoders/pipSettings.ts';
import { tellEvaluation } from './evaluation/announce.ts';
import { describeBundle } from './evaluation/describe-bundle.ts';
import { evaluateLabelled } from './evaluation/evaluate.ts';
import { timedBar } from './evaluation/progress.ts';
import { examplesOf, takeExamples } from './examples.ts';
import { makeGoldenImages, takeGoldenImages } from './golden.ts';
import type { Metrics } from './metrics.ts';
import { findOverlays } from './overlays/find.ts';
import { modelAsShipped, quantizeCalibrated, requireQuantizable } from './quantize/quantize.ts';
import { tellQuantization } from './quantize/tell.ts';
import { type DefectPictures, drawDefects } from './report/defects.ts';
import { takePictures } from './report/pictures.ts';
import { renderReport } from './report/report.ts';
import { suspiciousGroup } from './report/suspicious.ts';
import {
  FORMAT,
  fingerprintOf,
  openRunFolder,
  type RunRecord,
  requireSameGround,
  requireSameRun,
  runFiles,
  writeJson,
} from './run-folder.ts';
import { mostSuspicious } from './suspicious.ts';
import { type Graphs, train } from './train.ts';
import { rememberedBy } from './voices/names.ts';

export interface RunOptions extends PipSurroundings {
  /** Folder of good images, or of a data set in one of the layouts that `openSource` knows. */
  readonly folder: string;
  readonly out: string;
  /** Gives the recipe; `before` is that of the run to resume. */
  readonly recipe: (before: Recipe | null) => Promise<Recipe>;
  /** Default: that of the run to resume, else 1. */
  readonly seed: number | undefined;
  readonly labelled: GivenLabels;
  /** Folder of a few poor images that weigh the voices. */
  readonly examples: string | null;
  /** Golden samples are training images, in place of made ones. */
  readonly realGolden: boolean;
  /** Convolutions in 8-bit integers, where that changes no verdict to speak of; also where the run to resume was so. */
  readonly quantize: boolean;
  /** Default: that of the run to resume, else `auto`. */
  readonly backend: BackendName | 'auto' | undefined;
  readonly threads: number;
  /** Cache folder of installed backends and encoders. */
  readonly cache: string;
  readonly resume: boolean;
  /** Ends training after the batch; what is there by then is exported all the same. */
  readonly stop: AbortSignal;
  /** As typed, and the versions that ran it: for the report. */
  readonly command: string;
  readonly versions: { readonly trainer: string; readonly node: string };
}

/**
 * Find images -> split -> train -> calibrate -> evaluate -> report. A run that is refused leaves no empty folder behind.
 * @throws TrainerError, ConfigError, BackendError, EncoderError or BundleError, saying what was expected, what came,
 * what to do.
 * @throws InterruptedError when it is stopped before there is anything to keep.
 */
export async function runTrainer(options: RunOptions, console: Console): Promise<Metrics> {
  const { before, made } = await openRunFolder(options.out, options.resume);
  try {
    return await runFrom(before, options, console);
  } catch (error) {
    await removeEmpty(made);
    throw error;
  }
}

async function runFrom(before: RunRecord | null, options: RunOptions, console: Console): Promise<Metrics> {
  const files = runFiles(options.out);
  const recipe = await options.recipe(before?.recipe ?? null);
  const seed = options.seed ?? before?.seed ?? 1;
  if (before !== null) requireSameRun(before, { recipe, seed });

  if (options.examples !== null) requireVoices(recipe);
  const quantize = options.quantize || before?.quantize === true;
  if (quantize) requireQuantizable(recipe);
  const found = await gatherSamples(options.folder, options.labelled, recipe, seed);
  announce.tellSources(console, found);
  const loaded = await readImages(found.train, 'reading images', options, recipe, console);
  announce.tellImages(console, options.folder, loaded, recipe.input);
  requireImages(options.folder, loaded);
  const split = splitImages(loaded.images, recipe, seed);
  const examples = await takeExamples(options, loaded.images, found, recipe, console);
  const gathered = { ...found, ...examples?.labelled };
  const sides = describeSplit(split, seed);
  announce.tellSplit(console, split, recipe, seed);
  const tuning = await readTuning(gathered, options, recipe, console);
  requireTuning(recipe, tuning);
  const labelled = tuning.good.length > 0 && tuning.poor.length > 0 ? tuning : null;

  tf.env().set('PROD', true); // else TensorFlow.js advises to install tfjs-node, whatever runs
  const { cache, threads } = options;
  const wanted = options.backend ?? before?.backend.got ?? 'auto';
  const backend = await selectBackend({ wanted, cache, threads });
  const { got, why, device, library } = backend;
  console.say(describeBackend(backend));
  const record = { format: FORMAT, recipe, seed, backend: { got, library, device }, quantize } as const;
  if (before !== null) await requireSameGround(before, record, options.out, split.digest);
  const trained = await train(
    {
      begin: async () => {
        await writeJson(files.record, record);
        await writeJson(files.split, sides);
      },
      ...{ recipe, seed, split, labelled, threads, quantize, examples: examples?.images ?? [] },
      modelFolder: files.model,
      checkpointFile: files.checkpoint,
      fingerprint: fingerprintOf(record, sides),
      surroundings: { ...options, progress: announce.downloadTold(console), signal: options.stop },
      stop: options.stop,
    },
    console,
  );
  const { groups, weighting, training, encoder, measurements } = trained;

  // Ctrl-C that ended training is spent: what was kept is still tested and reported. Another ends the program.
  const stop = training.interrupted ? new AbortController().signal : options.stop;

  const used = examples === null || weighting === null ? null : { ...examples.told, ...weighting };
  if (used !== null) announce.tellWeights(console, used);
  const data = {
    train: split.train.length,
    validation: split.validation.length,
    calibration: split.calibration.length,
    refused: loaded.refused.length,
    duplicates: split.duplicates.length,
    digest: split.digest,
  };
  const golden = {
    real: options.realGolden,
    pngs: await (options.realGolden ? takeGoldenImages : makeGoldenImages)(split.train, recipe.input, seed),
  };
  const provenance = {
    recipe: { ...recipe },
    data,
    seed,
    epochs: training.history.length,
    bestEpoch: training.best.epoch,
    validationLoss: training.best.validationLoss,
    backend: `${got} (${library}, ${device})`,
    trainer: options.versions.trainer,
    encoder,
    ...(used !== null && { examples: examplesOf(used) }),
    ...rememberedBy(recipe),
  };
  const calibrateBy = ({ graph, unseen }: Graphs, more: Partial<Manifest['provenance']>) => {
    const bar = timedBar(console, 'calibrating', split.calibration.length);
    const known = { recipe, groups, tuning, golden, measurements, provenance: { ...provenance, ...more } };
    return calibrate(graph, { ...known, unseen, onImage: bar.onImage }).finally(bar.end);
  };
  const inFloat = { graphs: trained, calibrated: await calibrateBy(trained, {}), quantization: null };
  const { graphs, calibrated, quantization } = quantize
    ? await quantizeCalibrated(
        inFloat,
        { recipe, seed, split, calibrateBy, test: gathered.test, stop },
        console,
      )
    : inFloat;
  const { bundle, tuning: tuned, unseen: scored, ...calibration } = calibrated;
  const model = modelAsShipped(trained.model, quantization);
  await writeBundle(files.bundle, bundle);
  if (quantization !== null) tellQuantization(console, quantization);
  const { threshold } = bundle.manifest;
  announce.tellCalibrated(console, calibration, threshold, tuned);
  const defects = await tryPlanted(
    recipe,
    { unseen: graphs.unseen, bundle, seed, threads, signal: stop },
    console,
  );

  // Opened as a device opens it: this proves the digest and the golden samples of the file as written.
  const inspector = await loadInspector({ bundlePath: files.bundle, limits: LIMITS, ...EXECUTION });
  try {
    const suspicious = mostSuspicious(scored, bundle.manifest);
    announce.tellSuspicious(console, suspicious);
    const overlays = await findOverlays(split.train, inspector, seed, console);
    const tested = gathered.test.length > 0;
    const evaluation = tested
      ? await evaluateLabelled(
          inspector,
          gathered.test,
          {
            reference: await describeTraining(split, calibration, recipe, { ...options, stop }, console),
            gap: null,
            ...{ seed, stop },
          },
          console,
        )
      : null;
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
        sizes: sizesOf(loaded.images),
        significantBits: significantBitsOf(loaded.images),
      },
      model,
      training,
      tuning: tuned,
      examples: used,
      suspicious: suspicious.map(({ scores: _, ...told }) => told),
      overlays,
      defects,
      quantization,
      bundle: describeBundle(bundle),
      calibration: { ...calibration, threshold },
      evaluation: evaluation === null ? null : { sources: gathered.sources, ...evaluation },
    };
    await writeJson(files.metrics, metrics);
    const readers = new Map([...gathered.train, ...gathered.test].map(({ name, read }) => [name, read]));
    const pictures = await takePictures(inspector, metrics, readers, [
      await suspiciousGroup(suspicious, split.calibration, inspector.scorer),
    ]);
    const drawn = await drawOrdinary(metrics, split.calibration);
    await writeAtomically(files.report, renderReport(metrics, pictures, drawn));
    if (tested) tellEvaluation(console, metrics);
    announce.tellConclusion(console, metrics, files);
    return metrics;
  } finally {
    await inspector.close();
  }
}

/** Planted defects on the calibration image of median score. */
async function drawOrdinary(
  { defects, calibration, recipe }: Metrics,
  images: Split['calibration'],
): Promise<DefectPictures> {
  const { name } = calibration.images[calibration.images.length >> 1]!;
  const ordinary = images.find((image) => image.name === name);
  return defects === null || ordinary === undefined
    ? new Map()
    : drawDefects(ordinary.pixels, recipe.input, defects);
}

function readImages(
  samples: readonly Sample[],
  title: string,
  { stop }: RunOptions,
  { input }: Recipe,
  console: Console,
): Promise<LoadedFolder> {
  const bar = timedBar(console, title, samples.length);
  return loadSamples(samples, input, { signal: stop, onImage: bar.onImage }).finally(bar.end);
}

async function readTuning(
  { tuning }: Gathered,
  options: RunOptions,
  recipe: Recipe,
  console: Console,
): Promise<Record<Label, LoadedFolder['images']>> {
  const read = async (label: Label) => {
    const samples = tuning.filter((sample) => sample.label === label);
    return (await readImages(samples, `reading ${label} images for tuning`, options, recipe, console)).images;
  };
  return { good: await read('good'), poor: await read('poor') };
}
