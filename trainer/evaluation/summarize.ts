/** The figures that follow from scores, verdicts and simple measures of labelled images. */
import type { RefusedImage } from '../data/load.ts';
import type { Label } from '../data/sample.ts';
import { countGroups, estimateRanking, type GroupedImage } from '../statistics/bootstrap.ts';
import { classify } from '../statistics/classification.ts';
import { wilson } from '../statistics/rates.ts';
import { measureBaselines } from './baselines.ts';
import type { Evaluation, KindResult, Rate, Reference, ScoredImage } from './types.ts';

/** Shares of good test images called, at which detection is told. */
export const FALSE_ALARMS = [0.01, 0.05, 0.1] as const;

/** Everything of an evaluation but its warnings and what could not be checked. Equal input gives equal figures. */
export function summarize(
  images: readonly ScoredImage[],
  options: {
    readonly refused: readonly RefusedImage[];
    readonly orderedBy: Evaluation['orderedBy'];
    readonly reference: Reference | null;
    readonly seed: number;
  },
): Omit<Evaluation, 'warnings' | 'unchecked'> {
  const { refused, orderedBy, reference, seed } = options;
  const good = images.filter(({ label }) => label === 'good');
  const poor = images.filter(({ label }) => label === 'poor');
  const both = good.length > 0 && poor.length > 0;
  const ranking = both ? estimateRanking(images.map(grouped), FALSE_ALARMS, seed) : null;
  const [alarms, caught] = [countCalled(good), countCalled(poor)];
  const report = classify({ count: good.length, called: alarms }, { count: poor.length, called: caught });
  const recalls = [report.good.recall, report.poor.recall];
  return {
    images: images.map(({ properties, ...image }) => image),
    refused,
    groups: countGroups(images),
    orderedBy,
    auroc: ranking?.auroc ?? null,
    auprc: ranking?.auprc ?? null,
    detectionAt: (ranking?.detection ?? []).map((d, i) => ({ falseAlarms: FALSE_ALARMS[i]!, ...d })),
    detection: rate(caught, poor.length),
    falseAlarms: rate(alarms, good.length),
    accuracy: rate(caught + good.length - alarms, images.length),
    balancedAccuracy: both ? (recalls[0]! + recalls[1]!) / 2 : null,
    flagEverything: images.length === 0 ? 0 : poor.length / images.length,
    report: (['good', 'poor'] as const).map((label: Label) => ({ label, ...report[label] })),
    kinds: kindsOf(good, poor, seed),
    baselines: both ? measureBaselines(images, reference, alarms) : [],
  };
}

/** Each kind of poor images, against all good ones. */
function kindsOf(good: readonly ScoredImage[], poor: readonly ScoredImage[], seed: number): KindResult[] {
  return [...Map.groupBy(poor, ({ kind }) => kind)].map(([kind, some]) => ({
    kind,
    count: some.length,
    detection: rate(countCalled(some), some.length),
    auroc: good.length === 0 ? null : estimateRanking([...good, ...some].map(grouped), [], seed).auroc,
  }));
}

const grouped = ({ score, label, group }: ScoredImage): GroupedImage => ({
  score,
  poor: label === 'poor',
  group,
});

const countCalled = (images: readonly ScoredImage[]): number =>
  images.filter(({ verdict }) => verdict === 'review').length;

function rate(hits: number, count: number): Rate {
  return { hits, count, value: count === 0 ? 0 : hits / count, ...wilson(hits, count) };
}
