/** Precision, recall and F1 over all thresholds, and the best one: the rule `f1`. */
import { TrainerError } from '../error.ts';
import type { Tuning } from '../metrics.ts';
import { rank } from './ranking.ts';

type Point = Tuning['sweep'][number];

/** More points than this make no better curve. */
const MOST_POINTS = 200;

/**
 * Tries every threshold that lies midway between two neighbouring scores. The chosen one has the best F1, and among
 * equals calls the fewest images. At most 200 points are kept, evenly spread over the ranks, the chosen one among them.
 * @throws TrainerError when there is nothing to choose between: one label is missing, or all scores are equal.
 */
export function sweepThresholds(
  good: readonly number[],
  poor: readonly number[],
): Pick<Tuning, 'sweep' | 'chosen'> {
  if (good.length === 0 || poor.length === 0)
    throw new TrainerError(
      `The rule f1 needs good and poor labelled images to choose a threshold; ${good.length} good and ${poor.length} poor ones could be scored. Give both (--good and --bad), or use another rule, such as conformal.`,
    );
  const scores = [
    ...good.map((score) => ({ score, poor: false })),
    ...poor.map((score) => ({ score, poor: true })),
  ];
  const { index, poor: isPoor, last } = rank(scores);
  const points: Point[] = [];
  let caught = 0;
  let best: Point | null = null;
  for (let place = 0; place < index.length - 1; place++) {
    caught += isPoor[place]!;
    if (last[place] === 0) continue;
    const called = place + 1;
    const point = {
      threshold: between(scores[index[place + 1]!]!.score, scores[index[place]!]!.score),
      precision: caught / called,
      recall: caught / poor.length,
      f1: (2 * caught) / (called + poor.length),
    };
    if (best === null || point.f1 > best.f1) best = point;
    points.push(point);
  }
  if (best === null)
    throw new TrainerError(
      `All ${scores.length} labelled images have the same score, ${scores[0]!.score}: no threshold divides them. Look at the training (was it interrupted early? are all its images alike?), or use another rule.`,
    );
  return { sweep: thin(points.reverse(), best), chosen: { threshold: best.threshold, f1: best.f1 } };
}

/** Midway, and never as large as `high` when rounded: what has the score `high` is to lie above. */
function between(low: number, high: number): number {
  const middle = low + (high - low) / 2;
  return middle < high ? middle : low;
}

function thin(points: readonly Point[], keep: Point): Point[] {
  if (points.length <= MOST_POINTS) return [...points];
  const step = (points.length - 1) / (MOST_POINTS - 2);
  const places = new Set(Array.from({ length: MOST_POINTS - 1 }, (_, i) => Math.round(i * step)));
  places.add(points.indexOf(keep));
  return points.filter((_, place) => places.has(place));
}
