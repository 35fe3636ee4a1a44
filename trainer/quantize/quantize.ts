/** `trainer fit --quantize`: the trained bundle once more in 8-bit integers, and whether that one ships. */
import { Tensor } from 'onnxruntime-node';
import { decode } from '../../agent/inspect/decode.ts';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import { judge } from '../../agent/inspect/judge.ts';
import { openScorer, type Scorer } from '../../agent/inspect/score.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { Recipe } from '../../config/recipe.ts';
import { QuantizationError, type Quantized, quantize } from '../../convert/quantize/quantize.ts';
import { type calibrate, EXECUTION } from '../calibrate.ts';
import { measureInTurns } from '../compute.ts';
import type { Console } from '../console.ts';
import { LIMITS } from '../data/load.ts';
import type { LabelledSample } from '../data/sample.ts';
import type { Split } from '../data/split.ts';
import { TrainerError } from '../error.ts';
import { mapAtOnce } from '../evaluation/at-once.ts';
import { timedBar } from '../evaluation/progress.ts';
import type { Metrics } from '../metrics.ts';
import { randomFor, shuffled } from '../random.ts';
import type { Graphs } from '../train.ts';
import { type Gate, judgeQuantized, type Pair } from './gate.ts';

/** Images that activations are measured on; more hardly widen the ranges. */
const MEASURED = 100;

/**
 * Standard deviation of what quantisation adds to the scores, beside that of the scores: layers stay in float32 until it
 * is no more. For normal scores it changes some 0.3 % of the verdicts at a threshold that calls 5 %.
 */
const MOST_NOISE = 0.03;

export type Calibrated = Awaited<ReturnType<typeof calibrate>>;

/** A figure of the bundle in float32, and of the one in integers. */
export interface Both {
  readonly float: number;
  readonly integer: number;
}

/** What it costs and what it gains. */
export interface Comparison {
  /** Convolutions in integers, and names of those that stay in float32. */
  readonly layers: number;
  readonly float: readonly string[];
  /** As `MOST_NOISE`. */
  readonly noise: number;
  readonly gate: Gate;
  readonly threshold: Both;
  /** Of the graph, and of the bundle with the images that prove it. */
  readonly graphBytes: Both;
  readonly bundleBytes: Both;
  /** Median of one image on one thread, decoding apart. */
  readonly milliseconds: Both;
}

/** As `metrics.json` tells it. A refused one ships in float32; without a comparison nothing could be quantised. */
export type Quantization =
  | { readonly refused: null; readonly comparison: Comparison }
  | { readonly refused: string; readonly comparison: Comparison | null };

/** To be asked before training begins. @throws TrainerError for a recipe whose graph has nothing to gain. */
export function requireQuantizable({ model, name }: Recipe): void {
  if (model.kind !== 'voices') return;
  throw new TrainerError(
    `--quantize is for recipes that train on pixels: the graph of ${name} spends its time on measuring texture and energy, which integers would make wrong and not faster. Leave it out, or choose such a recipe (trainer recipes).`,
  );
}

/** To be asked at the end, when everything is written. @throws TrainerError when what was asked for was refused. */
export function requireAccepted({ refused }: Quantization, out: string): void {
  if (refused === null) return;
  throw new TrainerError(
    `--quantize was refused: ${refused}. The bundle in ${out} is the one in float32, complete and tested. Use it, or train longer or on more images and try again.`,
  );
}

export interface Shipped<Told> {
  readonly graphs: Graphs;
  readonly calibrated: Calibrated;
  readonly quantization: Told;
}

export interface QuantizeOptions {
  readonly recipe: Recipe;
  readonly seed: number;
  readonly split: Pick<Split, 'train' | 'calibration'>;
  readonly test: readonly LabelledSample[];
  readonly calibrateBy: (graphs: Graphs, more: Partial<Manifest['provenance']>) => Promise<Calibrated>;
  readonly stop: AbortSignal;
}

/**
 * Quantises the graph, calibrates it as the one in float32 was, and compares the two on calibration and test images.
 * Activations are measured on images that trained and not on those that set the threshold: what is fitted to
 * calibration images would treat them better than new ones.
 * @returns what ships: the bundle in integers, or where that is refused the one in float32.
 */
export async function quantizeCalibrated(
  inFloat: Shipped<null>,
  options: QuantizeOptions,
  console: Console,
): Promise<Shipped<Quantization>> {
  const { recipe, seed, split, calibrateBy } = options;
  const { graph } = inFloat.graphs;
  const quantized = await quantizeGraph(inFloat, options).catch((error: unknown) => {
    if (error instanceof QuantizationError) return error;
    throw error;
  });
  if (quantized instanceof QuantizationError)
    return { ...inFloat, quantization: { refused: quantized.message, comparison: null } };
  const { model, float, error: noise } = quantized;
  const layers = quantized.layers.length;
  const graphs = { graph: model, unseen: [{ graph: model, images: split.calibration }] };
  const calibrated = await calibrateBy(graphs, { quantization: { layers, float: [...float] } });
  const gate = judgeQuantized(await judgeBoth(inFloat.calibrated, calibrated, options, console), seed);
  const [before, now] = [inFloat.calibrated.bundle, calibrated.bundle];
  const milliseconds = await measureInTurns([graph, model], recipe.input);
  const comparison = {
    ...{ layers, float, noise, gate },
    threshold: { float: before.manifest.threshold.upper, integer: now.manifest.threshold.upper },
    graphBytes: { float: graph.length, integer: model.length },
    bundleBytes: { float: before.model.length, integer: now.model.length },
    milliseconds: { float: milliseconds[0]!, integer: milliseconds[1]! },
  };
  return gate.refusals.length === 0
    ? { graphs, calibrated, quantization: { refused: null, comparison } }
    : { ...inFloat, quantization: { refused: gate.refusals.join(', and '), comparison } };
}

/** The model's cost is that of the graph that ships. */
export function modelAsShipped(model: Metrics['model'], quantization: Quantization | null): Metrics['model'] {
  if (quantization === null || quantization.refused !== null) return model;
  const milliseconds = quantization.comparison.milliseconds.integer;
  return { ...model, compute: { ...model.compute, milliseconds } };
}

async function quantizeGraph(
  { graphs: { graph }, calibrated: { bundle } }: Shipped<null>,
  { recipe, seed, split }: QuantizeOptions,
): Promise<Quantized> {
  const { width, height, channels, frames } = recipe.input;
  const shape = [1, ...(frames > 1 ? [frames] : []), height, width, channels];
  const pictures = shuffled(split.train, randomFor(seed, 'quantize')).slice(0, MEASURED);
  const scoresOf = async (model: Uint8Array) => {
    const scorer = await openScorer({ ...bundle, model }, EXECUTION);
    const scores: number[] = [];
    for (const { pixels } of pictures) scores.push((await scorer.score(pixels, 1)).score[0]!);
    await scorer.close();
    return scores;
  };
  const scores = await scoresOf(graph);
  const error = async (model: Uint8Array) => {
    const got = await scoresOf(model);
    return deviation(got.map((score, i) => score - scores[i]!)) / deviation(scores);
  };
  const feed = (pixels: Uint8Array) => ({ image: new Tensor('uint8', pixels, shape) });
  const [black, white] = [0, 255].map((value) => new Uint8Array(pictures[0]!.pixels.length).fill(value));
  return quantize(graph, {
    feeds: pictures.map(({ pixels }) => feed(pixels)),
    extremes: [feed(black!), feed(white!)],
    ...{ error, tolerance: MOST_NOISE },
  });
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Calibration and test images, judged by both; test images that cannot be read are left out, as from the test. */
async function judgeBoth(
  float: Calibrated,
  integer: Calibrated,
  { recipe, test, stop }: QuantizeOptions,
  console: Console,
): Promise<Pair[]> {
  const judged = ({ bundle: { manifest } }: Calibrated, score: number) => ({
    score,
    verdict: judge(score, manifest.threshold, manifest.calibration.scores).verdict,
  });
  const known = new Map(integer.images.map(({ name, score }) => [name, score]));
  const calibration = float.images.map(
    ({ name, score }): Pair => ({
      ...{ label: 'good', group: null, tested: false },
      float: judged(float, score),
      integer: judged(integer, known.get(name)!),
    }),
  );
  if (test.length === 0) return calibration;

  const scorers = [
    await openScorer(float.bundle, EXECUTION),
    await openScorer(integer.bundle, EXECUTION),
  ] as const;
  const bar = timedBar(console, 'comparing with float32', test.length);
  try {
    const tested = await mapAtOnce(
      test,
      async (sample): Promise<Pair | null> => {
        const pixels = await pixelsOf(sample, recipe);
        if (pixels === null) return null;
        const [before, now] = [await scoreOf(scorers[0], pixels), await scoreOf(scorers[1], pixels)];
        const { label, group } = sample;
        return { label, group, tested: true, float: judged(float, before), integer: judged(integer, now) };
      },
      { signal: stop, onImage: bar.onImage, doing: 'comparing integers with float32' },
    );
    return [...calibration, ...tested.filter((pair) => pair !== null)];
  } finally {
    bar.end();
    for (const scorer of scorers) await scorer.close();
  }
}

const scoreOf = async (scorer: Scorer, pixels: Uint8Array): Promise<number> =>
  (await scorer.score(pixels, 1)).score[0]!;

async function pixelsOf(sample: LabelledSample, { input }: Recipe): Promise<Uint8Array | null> {
  try {
    return (await decode(await sample.read(), input, LIMITS)).pixels;
  } catch (error) {
    if (error instanceof UnscorableError) return null;
    throw error;
  }
}
