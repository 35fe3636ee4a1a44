/** Tries a bundle with planted defects: which does it find, and does its map show where they are? */

import { judge } from '../../agent/inspect/judge.ts';
import type { Scorer, Scores } from '../../agent/inspect/score.ts';
import { deriveBounds, smallestAlpha } from '../../agent/inspect/threshold.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { Threshold } from '../../config/threshold.ts';
import { InterruptedError } from '../error.ts';
import type { Picture } from '../features.ts';
import { DEFECTS, STRENGTHS } from './families.ts';
import { dilate, plant } from './plant.ts';
import type { Trial, Trials } from './types.ts';

/** Images of one run of the graph. */
const BATCH = 12;

/** The rate of false alarms that a small defect is to be found at. */
const ALPHA = 0.05;

export interface TryOptions {
  /** Good images as the graph sees them, uint8 `[height, width, channels]` each, and what is to score them. */
  readonly parts: readonly { readonly scorer: Scorer; readonly pictures: readonly Picture[] }[];
  readonly manifest: Pick<Manifest, 'preprocessing' | 'threshold' | 'calibration'>;
  readonly signal: AbortSignal;
  readonly onImage: () => void;
}

/**
 * Plants every defect of `DEFECTS` on every picture that is not called and has no alarm in its map as it is: of another,
 * nobody could say what the defect did. Equal input gives equal figures; where a defect lies differs from picture to
 * picture. Pictures should be new to what scores them: with those that it was fitted to, the figures are too good.
 * @throws InterruptedError when it is stopped.
 * @throws RangeError when the bundle sees several frames: a defect on one of them is no defect of the capture.
 */
export async function tryDefects({ parts, manifest, signal, onImage }: TryOptions): Promise<Trials> {
  const { width, height, channels, frames } = manifest.preprocessing;
  if (frames !== 1) throw new RangeError(`Expected a bundle that sees one frame, got one of ${frames}.`);
  const { scores: calibration, mapAlarm } = manifest.calibration;
  const alpha = Math.max(ALPHA, smallestAlpha(calibration.length));
  const rule = { rule: 'conformal', alpha } as const;
  const threshold = { rule, ...deriveBounds(rule, calibration), revision: 1 };
  const isCalled = (score: number, by: Threshold) => judge(score, by, calibration).verdict === 'review';
  const tallies = DEFECTS.map(() => ({
    planted: 0,
    called: 0,
    found: 0,
    located: 0,
    marked: 0,
    markedWithin: 0,
  }));
  let [falseAlarms, quiet, clear] = [0, 0, 0];
  const pictures = parts.flatMap(({ scorer, pictures }) =>
    pictures.map(({ pixels }) => ({ scorer, pixels })),
  );
  for (const [i, { scorer, pixels }] of pictures.entries()) {
    const canvas = { pixels, width, height, channels };
    const good = await scorer.score(pixels, 1);
    const isFalseAlarm = isCalled(good.score[0]!, threshold);
    const isQuiet = good.map.every((value) => value <= mapAlarm);
    if (isFalseAlarm) falseAlarms += 1;
    if (isQuiet) quiet += 1;
    if (isFalseAlarm || !isQuiet) {
      onImage();
      continue;
    }
    clear += 1;
    const planted = DEFECTS.map((defect) => plant(canvas, defect, i));
    for (let start = 0; start < planted.length; start += BATCH) {
      if (signal.aborted) throw new InterruptedError('Interrupted while trying planted defects.');
      const some = planted.slice(start, start + BATCH);
      const scores = await scorer.score(Buffer.concat(some.map((one) => one.pixels)), some.length);
      for (const [j, { mask }] of some.entries()) {
        if (!mask.includes(1)) continue; // nothing changed: a blur of what is flat
        const tally = tallies[start + j]!;
        tally.planted += 1;
        const score = scores.score[j]!;
        if (isCalled(score, manifest.threshold)) tally.called += 1;
        const within = peaksWithin(mask, { width, height }, scores, j);
        if (isCalled(score, threshold)) {
          tally.found += 1;
          if (within) tally.located += 1;
        }
        if (highestOf(scores, j) > mapAlarm) {
          tally.marked += 1;
          if (within) tally.markedWithin += 1;
        }
      }
    }
    onImage();
  }
  const trials = DEFECTS.map(({ family, size, strength }, i): Trial => {
    return { family: family.name, size, strength: STRENGTHS[strength]!, ...tallies[i]! };
  });
  return { images: pictures.length, clear, alpha, falseAlarms, quiet, trials };
}

/**
 * Whether the centre of the cell with the largest value of the map, of image `index`, lies in the mask (uint8
 * `[height, width]`) or at most one cell beside it.
 */
export function peaksWithin(
  mask: Uint8Array,
  size: { readonly width: number; readonly height: number },
  scores: Maps,
  index: number,
): boolean {
  const { mapHeight, mapWidth } = scores;
  const cells = cellsOf(scores, index);
  const peak = cells.indexOf(highestOf(scores, index));
  const x = Math.floor((((peak % mapWidth) + 0.5) * size.width) / mapWidth);
  const y = Math.floor(((Math.floor(peak / mapWidth) + 0.5) * size.height) / mapHeight);
  const reach = Math.ceil(Math.max(size.width / mapWidth, size.height / mapHeight));
  return dilate(mask, size, reach)[y * size.width + x] === 1;
}

type Maps = Pick<Scores, 'map' | 'mapHeight' | 'mapWidth'>;

const highestOf = (scores: Maps, index: number): number =>
  cellsOf(scores, index).reduce((highest, value) => Math.max(highest, value));

const cellsOf = ({ map, mapHeight, mapWidth }: Maps, index: number): Float32Array =>
  map.subarray(index * mapHeight * mapWidth, (index + 1) * mapHeight * mapWidth);
