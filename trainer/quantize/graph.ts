/** The graph of a bundle in 8-bit integers, as far as its scores allow. */
import { Tensor } from 'onnxruntime-node';
import type { Bundle } from '../../agent/inspect/bundle.ts';
import { openScorer } from '../../agent/inspect/score.ts';
import type { Recipe } from '../../config/recipe.ts';
import { quantize } from '../../convert/quantize/quantize.ts';
import type { Quantized } from '../../convert/quantize/search.ts';
import { EXECUTION } from '../calibrate.ts';
import type { Picture } from '../features.ts';
import { randomFor, shuffled } from '../random.ts';

/** Images that activations are measured on; more hardly widen the ranges. */
const MEASURED = 100;

/**
 * Standard deviation of what quantisation adds to the scores, beside that of the scores: layers stay in float32 until it
 * is no more. For normal scores it changes some 0.4 % of the verdicts at a threshold that calls 5 %.
 */
const MOST_NOISE = 0.05;

/**
 * @param trained images that trained: what is fitted to those that set the threshold would treat them better than new ones.
 * @throws QuantizationError when too little of it can be quantised.
 */
export function quantizeGraph(
  graph: Uint8Array,
  options: {
    readonly recipe: Recipe;
    readonly seed: number;
    readonly trained: readonly Picture[];
    /** Tells how the graph is run. */
    readonly bundle: Bundle;
  },
): Promise<Quantized> {
  const { recipe, seed, trained, bundle } = options;
  const pictures = shuffled(trained, randomFor(seed, 'quantize')).slice(0, MEASURED);
  const scoresOf = async (model: Uint8Array) => {
    const scorer = await openScorer({ ...bundle, model }, EXECUTION);
    const scores: number[] = [];
    for (const { pixels } of pictures) scores.push((await scorer.score(pixels, 1)).score[0]!);
    await scorer.close();
    return scores;
  };
  const expected = scoresOf(graph);
  const error = async (model: Uint8Array) => {
    const [scores, got] = [await expected, await scoresOf(model)];
    return deviation(got.map((score, i) => score - scores[i]!)) / deviation(scores);
  };
  const { width, height, channels, frames } = recipe.input;
  const shape = [1, ...(frames > 1 ? [frames] : []), height, width, channels];
  const feed = (pixels: Uint8Array) => ({ image: new Tensor('uint8', pixels, shape) });
  const plain = (value: number) => feed(new Uint8Array(pictures[0]!.pixels.length).fill(value));
  return quantize(graph, {
    error,
    tolerance: MOST_NOISE,
    feeds: pictures.map(({ pixels }) => feed(pixels)),
    extremes: [plain(0), plain(255)],
  });
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
