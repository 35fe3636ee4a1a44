/** One of every shape that a report takes, and pictures for it. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { type Recipe, recipe as schema } from '../../config/recipe.ts';
import type { EvaluationMetrics, Metrics } from '../../trainer/metrics.ts';
import type { Picture, PictureGroup } from '../../trainer/report/pictures.ts';
import { evaluationMetrics, fitMetrics, NASTY, scores } from './reportMetrics.ts';

const POOR = scores(80, 0.022, 0.4, 3);
const GOOD = scores(120, 0.0102, 0.26, 2);

/** Of each kind six images. */
export const manyKinds = (count: number): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`kind ${i + 1} ${NASTY}`, scores(6, 0.02, 0.3, 40 + i)]),
  );

const COMPARISON = {
  ...{ layers: 7, float: [], noise: 0.0123 },
  gate: {
    verdicts: { compared: 107, tested: 0, changed: 1, low: 0.0002, high: 0.03 },
    auroc: null,
    refusals: [],
  },
  threshold: { float: 0.00414, quantized: 0.00411 },
  graphBytes: { float: 1_350_000, quantized: 355_000 },
  bundleBytes: { float: 1_512_000, quantized: 517_000 },
  milliseconds: { float: 8.05, quantized: 4.02 },
};

/** One of every shape that a report takes; `voices`: a recipe that redraws nothing. */
const shapes = (recipe: Recipe, voices: Recipe): Readonly<Record<string, EvaluationMetrics | Metrics>> => ({
  'no test': fitMetrics({ recipe }),
  'nothing trained in epochs': fitMetrics({ recipe: voices, epochs: 0 }),
  'one epoch, tiny': fitMetrics({
    recipe,
    epochs: 1,
    calibration: [0.1, 0.3, 0.5],
    good: [0.2],
    kinds: { poor: [0.4] },
  }),
  'good only': fitMetrics({
    recipe,
    good: GOOD,
    unchecked: 2,
    quantization: { refused: null, comparison: COMPARISON },
  }),
  'poor only': fitMetrics({
    recipe,
    kinds: { poor: POOR },
    quantization: { refused: NASTY, comparison: { ...COMPARISON, float: [NASTY, 'long'.repeat(30)] } },
  }),
  'one kind': fitMetrics({ recipe, good: GOOD, kinds: { poor: POOR }, labelled: true }),
  'five kinds, eight warnings': fitMetrics({
    recipe,
    good: GOOD,
    kinds: Object.fromEntries(
      ['blurred', 'dark', NASTY, 'a-kind-with-a-name-that-nobody-should-choose-but-somebody-will', 'e'].map(
        (kind, i) => [kind, scores(20 + 5 * i, 0.012 + 0.006 * i, 0.3, 10 + i)],
      ),
    ),
    warnings: 8,
    unchecked: 1,
  }),
  'many kinds': evaluationMetrics({ recipe, good: GOOD, kinds: manyKinds(14) }),
  frames: fitMetrics({
    recipe: { ...recipe, input: { ...recipe.input, frames: 5, channels: 1 } },
    good: GOOD,
    kinds: { poor: POOR },
  }),
  voices: {
    ...fitMetrics({ recipe: voices, good: GOOD, kinds: { poor: POOR } }),
    examples: {
      ...{ folder: NASTY, images: 3, refused: [], copies: 0, leftOut: 2, digest: 'sha256:0' },
      weights: ['sharpness', 'texture-foreground'].map((voice, i) => ({ voice, weight: 0.5 + i })),
      before: { value: 0.8, low: 0.7, high: 0.9 },
      after: { value: 0.9, low: 0.8, high: 0.95 },
      ...{ higher: 2, lower: 1 },
    },
  },
  'two-sided': fitMetrics({
    recipe,
    good: GOOD,
    kinds: { small: scores(40, 0.002, 0.2, 5), large: scores(40, 0.03, 0.2, 6) },
    threshold: { rule: { rule: 'z-score', k: 3 }, lower: 0.0034, upper: 0.0182 },
  }),
  'tuned and interrupted': fitMetrics({
    recipe,
    good: GOOD,
    kinds: { poor: POOR },
    threshold: { rule: { rule: 'f1' }, lower: null, upper: 0.0141 },
    tuning: true,
    interrupted: true,
    warnings: 1,
  }),
  'wrong way round': fitMetrics({
    recipe,
    good: GOOD,
    kinds: { poor: scores(80, 0.006, 0.3, 4) },
    warnings: 1,
  }),
  'evaluation alone': evaluationMetrics({ recipe, good: GOOD, kinds: { poor: POOR }, unchecked: 1 }),
  'equal scores': evaluationMetrics({
    recipe,
    calibration: Array<number>(20).fill(0.5),
    good: [0.5, 0.5],
    kinds: { poor: [0.5, 0.5] },
  }),
});

const recipeNamed = async (name: string): Promise<Recipe> =>
  schema.parse(
    JSON.parse(await readFile(new URL(`../../config/recipes/${name}.json`, import.meta.url), 'utf8')),
  );

export const fundus = await recipeNamed('fundus');
export const auto = await recipeNamed('auto');

export const allShapes = () => shapes(fundus, auto);

/** Two cards: one with a long name and evidence, one without. */
export async function picturesOf(redraws: boolean): Promise<PictureGroup[]> {
  const grey = { create: { width: 28, height: 28, channels: 3, background: '#777' } } as const;
  const uri = `data:image/png;base64,${(await sharp(grey).png().toBuffer()).toString('base64')}`;
  const picture: Picture = {
    name: `good/${NASTY}${'-long'.repeat(20)}.png`,
    score: 0.0123,
    p: 0.03,
    verdict: 'review',
    original: uri,
    reconstruction: redraws ? uri : null,
    map: uri,
    small: true,
    evidence: redraws ? [] : ['sharpness: lower than in 40 of 40 good images', `<b>${NASTY}`],
  };
  const other: Picture = { ...picture, name: 'a.png', verdict: 'pass', evidence: [] };
  return [{ title: `Worst of ${NASTY}`, pictures: [picture, other] }];
}
