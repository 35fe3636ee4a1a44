/** Images that trained neither bundle, judged by both. */
import { decode } from '../../agent/inspect/decode.ts';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import { judge } from '../../agent/inspect/judge.ts';
import { openScorer, type Scorer } from '../../agent/inspect/score.ts';
import type { Recipe } from '../../config/recipe.ts';
import { type Calibrated, EXECUTION } from '../calibrate.ts';
import type { Console } from '../console.ts';
import { LIMITS } from '../data/load.ts';
import type { LabelledSample } from '../data/sample.ts';
import { mapAtOnce } from '../evaluation/at-once.ts';
import { timedBar } from '../evaluation/progress.ts';
import type { Pair } from './gate.ts';

export interface JudgeOptions {
  readonly recipe: Recipe;
  readonly test: readonly LabelledSample[];
  readonly stop: AbortSignal;
}

/** Calibration and test images, judged by both; test images that cannot be read are left out, as from the test. */
export async function judgeBoth(
  float: Calibrated,
  quantized: Calibrated,
  { recipe, test, stop }: JudgeOptions,
  console: Console,
): Promise<Pair[]> {
  const judged = ({ bundle: { manifest } }: Calibrated, score: number) => ({
    score,
    verdict: judge(score, manifest.threshold, manifest.calibration.scores).verdict,
  });
  const known = new Map(quantized.images.map(({ name, score }) => [name, score]));
  const calibration = float.images.map(
    ({ name, score }): Pair => ({
      ...{ label: 'good', group: null, tested: false },
      float: judged(float, score),
      quantized: judged(quantized, known.get(name)!),
    }),
  );
  if (test.length === 0) return calibration;

  const scorers = [
    await openScorer(float.bundle, EXECUTION),
    await openScorer(quantized.bundle, EXECUTION),
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
        return {
          label,
          group,
          tested: true,
          float: judged(float, before),
          quantized: judged(quantized, now),
        };
      },
      { signal: stop, onImage: bar.onImage, doing: 'comparing with float32' },
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
