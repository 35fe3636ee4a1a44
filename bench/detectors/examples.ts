/** What a few poor examples change: voices weighed as `trainer fit --examples` does, on many draws of examples. */
import { randomFor, shuffled } from '../../trainer/random.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';
import { fusedScore, type Row, weighVoices } from '../../trainer/voices/weights.ts';
import type { Table } from '../bench.ts';

export interface ToldDomain {
  readonly name: string;
  /** Robust z of each voice: of good images out of fold, of good and of poor test images. */
  readonly unseen: readonly Row[];
  readonly good: readonly Row[];
  readonly poor: readonly Row[];
}

const COUNTS = [3, 5, 10, 20] as const;
const DRAWS = 20;
const SEED = 1;

/** By how much AUROC may fall in the mean of the draws on one domain. */
const MOST_LOST = 0.01;

interface Change {
  readonly mean: number;
  readonly worst: number;
}

export function tryExamples(domains: readonly ToldDomain[]): Table {
  const changes = domains.map((domain) => COUNTS.map((count) => changeBy(domain, count)));
  const means = COUNTS.map((_, c) => changes.reduce((sum, of) => sum + of[c]!.mean, 0) / domains.length);
  const lost = changes.flat().some(({ mean }) => mean < -MOST_LOST);
  const rising = means.every((mean, c) => c === 0 || mean >= means[c - 1]!);
  return {
    title: 'What poor examples change: AUROC without, and change with so many examples',
    columns: ['domain', 'none', ...COUNTS.map(String), 'worst draw'],
    rows: [
      ...domains.map(({ name, good, poor }, d) => [
        name,
        aurocOf(good, poor, null).toFixed(3),
        ...changes[d]!.map(({ mean }) => signed(mean)),
        signed(Math.min(...changes[d]!.map(({ worst }) => worst))),
      ]),
      ['mean', '', ...means.map(signed), ''],
    ],
    notes: [
      `Mean of ${DRAWS} draws of examples from the poor test images; both sides on the images that are left. Weights as "trainer fit --examples" sets them.`,
      `Wanted: the mean rises with the number of examples${rising ? '' : ' (it does not)'}, and no domain falls by more than ${MOST_LOST}${lost ? ' (one does)' : ''}.`,
    ],
    failed: lost || !rising,
  };
}

function changeBy({ name, unseen, good, poor }: ToldDomain, count: number): Change {
  const changes = Array.from({ length: DRAWS }, (_, draw) => {
    const order = shuffled(poor, randomFor(SEED, name, String(count), String(draw)));
    const left = order.slice(count);
    return aurocOf(good, left, weighVoices(unseen, order.slice(0, count))) - aurocOf(good, left, null);
  });
  return { mean: changes.reduce((sum, change) => sum + change, 0) / DRAWS, worst: Math.min(...changes) };
}

/** @param weights null: all voices speak alike. */
function aurocOf(good: readonly Row[], poor: readonly Row[], weights: readonly number[] | null): number {
  const score = (row: Row) => fusedScore(row, weights ?? Array.from(row, () => 1));
  return auroc(good.map(score), poor.map(score));
}

const signed = (change: number): string => `${change < 0 ? '' : '+'}${change.toFixed(3)}`;
