/** How loud each voice speaks, from a few examples of what is poor. */
import type { Interval } from '../../agent/inspect/falseAlarms.ts';
import { wilson } from '../statistics/rates.ts';
import { solve } from '../statistics/solve.ts';

/** Robust z of each voice, of one image. */
export type Row = ArrayLike<number>;

/** What a z says is bounded before weights come from it: one wild example is no ten. */
const MOST = 8;
/** By how much correlations between voices are shrunk towards none. */
const SHRINKAGE = 0.25;
/** Share of the examples' covariance, and their number at which it has half of that. */
const SPREAD = 0.5;
const SPREAD_AT = 10;
/** Number of examples at which weights go half their way ... */
const HALF_AT = 1;
/** ... which never leads to a weight below 1 - this: what the examples do not show may come all the same. */
const FARTHEST = 0.8;

/**
 * Weights of the voices, mean 1, each at least 0.2: Fisher's linear discriminant (1936) of softplus(z) between good
 * images and examples, none negative, shrunk towards 1 for all voices as the examples get fewer. `good`: out of fold.
 * The constants were chosen on seven domains, each time on six for the seventh: docs/accuracy.md.
 */
export function weighVoices(good: readonly Row[], poor: readonly Row[]): number[] {
  const voices = good[0]?.length ?? 0;
  if (poor.length === 0 || good.length < 2) return new Array<number>(voices).fill(1);
  const [g, p] = [momentsOf(good.map(said)), momentsOf(poor.map(said))];
  const share = (SPREAD * poor.length) / (poor.length + SPREAD_AT);
  const covariance = g.covariance.map((row, i) =>
    row.map((value, j) => {
      const pooled = (1 - share) * value + share * p.covariance[i]![j]!;
      return i === j ? pooled + FLOOR : (1 - SHRINKAGE) * pooled;
    }),
  );
  const direction = nonNegative(
    covariance,
    p.mean.map((mean, v) => mean - g.mean[v]!),
  );
  const sum = direction.reduce((total, value) => total + value, 0);
  const way = (FARTHEST * poor.length) / (poor.length + HALF_AT);
  return direction.map((value) => (sum > 0 ? 1 + way * ((value * voices) / sum - 1) : 1));
}

/** Keeps the covariance of a voice that never says anything invertible. */
const FLOOR = 1e-6;

const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const said = (row: Row): number[] => Array.from(row, (z) => Math.min(softplus(z), MOST));

function momentsOf(rows: readonly (readonly number[])[]): { mean: number[]; covariance: number[][] } {
  const n = rows.length;
  const mean = rows[0]!.map((_, v) => rows.reduce((sum, row) => sum + row[v]!, 0) / n);
  const covariance = mean.map((a, i) =>
    mean.map(
      (b, j) => rows.reduce((sum, row) => sum + (row[i]! - a) * (row[j]! - b), 0) / Math.max(1, n - 1),
    ),
  );
  return { mean, covariance };
}

/** Solves for the direction; voices that would be negative are left out, and it is solved again. */
function nonNegative(covariance: readonly (readonly number[])[], difference: readonly number[]): number[] {
  let active = [...difference.keys()];
  while (active.length > 0) {
    const solution = solve(
      active.map((i) => active.map((j) => covariance[i]![j]!)),
      active.map((i) => difference[i]!),
    );
    if (solution.every((value) => value >= 0)) {
      const direction = new Array<number>(difference.length).fill(0);
      for (const [k, v] of active.entries()) direction[v] = solution[k]!;
      return direction;
    }
    active = active.filter((_, k) => solution[k]! > 0);
  }
  return new Array<number>(difference.length).fill(0);
}

/** The score of one image, as the graph has it. */
export function fusedScore(row: Row, weights: readonly number[]): number {
  return weights.reduce((sum, weight, v) => sum + weight * softplus(row[v]!) ** 2, 0);
}

export interface RankedExamples {
  /** AUROC of the examples against good images, with a 95 % interval. */
  readonly before: Interval & { readonly value: number };
  /** Each example scored by the weights that the others give. */
  readonly after: Interval & { readonly value: number };
  /** Examples that rank above more good images with weights, and above fewer. */
  readonly higher: number;
  readonly lower: number;
}

/**
 * What weights change, by leaving out each example in turn. Intervals are those of a share of the examples (Wilson
 * 1927): at least as wide as that of a mean of ranks, whose variance is at most that of hits and misses.
 */
export function rankExamples(good: readonly Row[], poor: readonly Row[]): RankedExamples {
  const plain = good[0] === undefined ? [] : Array.from(good[0], () => 1);
  const before = poor.map((row) => rankOf(row, good, plain));
  const after = poor.map((row, i) =>
    rankOf(
      row,
      good,
      weighVoices(
        good,
        poor.filter((_, j) => j !== i),
      ),
    ),
  );
  return {
    before: meanOf(before),
    after: meanOf(after),
    higher: after.filter((rank, i) => rank > before[i]!).length,
    lower: after.filter((rank, i) => rank < before[i]!).length,
  };
}

/** Share of the good images that it scores above, ties by half. */
function rankOf(row: Row, good: readonly Row[], weights: readonly number[]): number {
  const score = fusedScore(row, weights);
  let wins = 0;
  for (const one of good) {
    const other = fusedScore(one, weights);
    wins += score > other ? 1 : score === other ? 0.5 : 0;
  }
  return wins / good.length;
}

function meanOf(ranks: readonly number[]): Interval & { readonly value: number } {
  const sum = ranks.reduce((total, rank) => total + rank, 0);
  return { value: sum / ranks.length, ...wilson(sum, ranks.length) };
}
