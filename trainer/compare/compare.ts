/** Two or more models on the same labelled images: is the better one really better? */
import path from 'node:path';
import type { Estimate, Rate } from '../evaluation/types.ts';
import {
  countGroups,
  type Difference,
  differenceOfAuroc,
  estimateRanking,
  type GroupedImage,
} from '../statistics/bootstrap.ts';
import { wilson } from '../statistics/rates.ts';
import { type MatchedImage, matchImages } from './match.ts';
import type { TestedRun } from './read-run.ts';

export interface ComparedRun {
  /** As given, less the folders that all runs lie in. */
  readonly folder: string;
  readonly model: string;
  readonly digest: string;
  /** Images of its own test; those in common with the others are what is compared. */
  readonly tested: number;
  readonly auroc: Estimate;
  readonly auprc: Estimate;
  /** At 5 % false alarms, the threshold set by this very test. */
  readonly caught: Estimate;
  /** At the bundle's own threshold. */
  readonly detection: Rate;
  readonly falseAlarms: Rate;
  /** Of the images in common, for the curves. */
  readonly scores: { readonly good: readonly number[]; readonly poor: readonly number[] };
  /** AUROC of this run minus that of the first; null: it is the first. */
  readonly difference: Difference | null;
}

export interface Comparison {
  readonly format: 1;
  readonly seed: number;
  readonly good: number;
  readonly poor: number;
  /** null: every image counts alone. */
  readonly groups: number | null;
  readonly runs: readonly ComparedRun[];
  /** Plain sentences, one for each run after the first. */
  readonly conclusions: readonly string[];
}

const FALSE_ALARMS = 0.05;

/**
 * At least two runs; every figure is of the images that all of them were tested on.
 * @throws TrainerError when these are too few, or labelled differently.
 */
export function compareRuns(runs: readonly TestedRun[]): Comparison {
  const { seed } = runs[0]!;
  const matched = matchImages(runs);
  const names = withoutShared(runs.map(({ folder }) => folder));
  const compared = runs.map((run, i) => compareRun({ ...run, folder: names[i]! }, i, matched, seed));
  const count = (label: MatchedImage['label']) => matched.filter((image) => image.label === label).length;
  return {
    format: 1,
    seed,
    good: count('good'),
    poor: count('poor'),
    groups: countGroups(matched),
    runs: compared,
    conclusions: compared.slice(1).map((run) => isItBetter(compared[0]!, run)),
  };
}

/** `/data/runs/small` and `/data/runs/large` as `small` and `large`. */
function withoutShared(folders: readonly string[]): string[] {
  const parts = folders.map((folder) => path.normalize(folder).replace(/\/$/, '').split('/'));
  const most = Math.min(...parts.map((some) => some.length)) - 1;
  let shared = 0;
  while (shared < most && parts.every((some) => some[shared] === parts[0]![shared])) shared++;
  return parts.map((some) => some.slice(shared).join('/'));
}

function compareRun(
  { folder, model, digest, images }: TestedRun,
  place: number,
  matched: readonly MatchedImage[],
  seed: number,
): ComparedRun {
  const of = (run: number): GroupedImage[] =>
    matched.map(({ label, group, scores }) => ({ group, poor: label === 'poor', score: scores[run]! }));
  const ranking = estimateRanking(of(place), [FALSE_ALARMS], seed);
  const scores = matched.map((image) => image.scores[place]!);
  const labelled = (label: MatchedImage['label']) => matched.filter((image) => image.label === label);
  const rate = (label: MatchedImage['label']): Rate => {
    const count = labelled(label).length;
    const hits = labelled(label).filter(({ called }) => called[place]).length;
    return { hits, count, value: hits / count, ...wilson(hits, count) };
  };
  return {
    ...{ folder, model, digest },
    tested: images.length,
    auroc: ranking.auroc,
    auprc: ranking.auprc,
    caught: ranking.detection[0]!,
    detection: rate('poor'),
    falseAlarms: rate('good'),
    scores: {
      good: labelled('good').map((image) => image.scores[place]!),
      poor: labelled('poor').map((image) => image.scores[place]!),
    },
    difference: place === 0 ? null : differenceOfAuroc(of(0), scores, seed),
  };
}

/** The answer for one run against the first, with its figures. */
function isItBetter(first: ComparedRun, { folder, auroc, difference }: ComparedRun): string {
  const { value, low, high } = difference!;
  const signed = (v: number) => (v < 0 ? `-${Math.abs(v).toFixed(3)}` : v.toFixed(3));
  const figures = `AUROC ${auroc.value.toFixed(3)} against ${first.auroc.value.toFixed(3)}, difference ${signed(value)}, 95 % interval ${signed(low)} to ${signed(high)}`;
  if (low <= 0 && high >= 0)
    return `Whether ${folder} is better than ${first.folder} or worse cannot be told from these images: ${figures}. ${value === 0 ? '' : 'The one that looks better may be so by chance. '}`.trim();
  const better = value > 0 ? { folder, auroc } : first;
  const chance =
    better.auroc.low <= 0.5
      ? ' But the better one does not rank better than chance either: use none of them.'
      : '';
  return value > 0
    ? `${folder} really is better than ${first.folder} on images like these: ${figures}.${chance}`
    : `${folder} really is worse than ${first.folder} on images like these: ${figures}.${chance}`;
}
