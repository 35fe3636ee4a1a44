/** In what the good images of another site differ from those of the old calibration. */
import { quantile } from '../../agent/inspect/quantile.ts';
import { countIn, inWords, rangeIn } from '../../agent/inspect/wording.ts';
import type { Manifest } from '../../config/bundle.ts';
import { EVIDENCE } from '../../config/evidence.ts';
import { knownStatistic, knownVoice } from '../../config/measurements.ts';
import { type Shift, shiftOf } from '../evaluation/warnings/shifted-captures.ts';

export interface DescribedShift extends Shift {
  readonly of: 'score' | 'voice' | 'statistic';
  /** What the median of the new images is, against the images of the old calibration. */
  readonly sentence: string;
}

type Calibration = Manifest['calibration'];

/** Significant over all tests together (chance 0.003), the most significant first. At least 10 images on each side. */
export function findShifts(before: Calibration, now: Calibration): DescribedShift[] {
  const columns = [
    { of: 'score' as const, name: 'score', before: before.scores, now: now.scores },
    ...columnsOf('statistic', before.statistics, now.statistics),
    ...columnsOf('voice', before.voices, now.voices),
  ];
  return columns
    .flatMap((column) => {
      const shift = shiftOf(column.name, column.before, column.now, 2 * columns.length);
      return shift === null ? [] : [{ ...shift, of: column.of, sentence: describe(column, shift) }];
    })
    .sort((a, b) => a.p - b.p);
}

interface Column {
  readonly of: DescribedShift['of'];
  readonly name: string;
  /** Ascending, as `now`. */
  readonly before: readonly number[];
  readonly now: readonly number[];
}

type Values = Readonly<Record<string, readonly number[]>> | undefined;

function columnsOf(of: 'voice' | 'statistic', before: Values = {}, now: Values = {}): Column[] {
  return Object.entries(now).flatMap(([name, values]) => {
    const old = before[name];
    return old === undefined ? [] : [{ of, name, before: old, now: values }];
  });
}

/** A difference of this chance from one half is in the middle; a smaller one only in the spread. */
const CENTRED = 0.05;

function describe({ of, name, before, now }: Column, { more }: Shift): string {
  if (Math.abs(more - 0.5) <= CENTRED) return `${name}: not higher or lower, but spread differently`;
  const median = quantile(now, 0.5);
  const higher = more > 0.5;
  const beyond = before.filter((value) => (higher ? value < median : value > median)).length;
  const good = countIn(beyond, before.length);
  if (of === 'score') return `score: ${higher ? 'higher' : 'lower'} than of ${good}`;
  if (of === 'voice') {
    if (!higher) return `${name}: nearer to what was trained on than ${good}`;
    return inWords(EVIDENCE[knownVoice(name).code].sentence, { name, good, place: '' });
  }
  const { low, high } = knownStatistic(name);
  const range = rangeIn(median, before, beyond === before.length);
  return inWords(EVIDENCE[higher ? high : low].sentence, { name, good, ...range });
}
