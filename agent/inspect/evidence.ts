/** Why an image was called, in words: which voices and statistics are rare among good images. */
import type { Manifest, Measurement } from '../../config/bundle.ts';
import { EVIDENCE, type Evidence, type EvidenceCode, MOST_EVIDENCE } from '../../config/evidence.ts';
import { knownStatistic, knownVoice } from '../../config/measurements.ts';
import { placeOf } from './place.ts';
import type { Scores } from './score.ts';
import { countIn, inWords, rangeIn } from './wording.ts';

/** Told when p is at most this ... */
const LEVEL = 0.05;
/** ... or when it lies beyond all of at least so many good images: a doubled p of 0.05 needs 39 of them. */
const ENOUGH = 19;

/** Smallest spread of a voice that is believed, in robust z: that of good images is 1 by construction. */
const LEAST_SPREAD = 0.1;

type Measured = Pick<Scores, 'voices' | 'statistics' | 'map' | 'mapHeight' | 'mapWidth'>;
type Calibrated = Pick<Manifest, 'voices' | 'statistics' | 'calibration'>;

interface Finding extends Evidence {
  /** See `strengthOf`. */
  readonly strength: number;
  readonly subject: string;
  readonly directed: boolean;
  readonly leading: boolean;
}

/**
 * Evidence on one image (`scores` of a batch of one): everything that is rare among the calibration images, strongest
 * first, five at most. Each p is conformal (Vovk et al. 2005) and of one number alone: a good image has a given one at
 * or below 0.05 in at most 5 of 100 cases, but one of several more often. What a bundle does not calibrate is not told.
 */
export function evidenceOf(scores: Measured, manifest: Calibrated): Evidence[] {
  const { calibration, voices = [], statistics = [] } = manifest;
  const place = () =>
    placeOf(scores.map, { height: scores.mapHeight, width: scores.mapWidth }, calibration.mapAlarm);
  const findings = [
    ...columns(statistics, scores.statistics, calibration.statistics).map(aboutStatistic),
    ...columns(voices, scores.voices, calibration.voices).map((column) => aboutVoice(column, place)),
  ].filter((finding) => finding !== null);
  return onePerSubject(findings.sort((a, b) => b.strength - a.strength))
    .slice(0, MOST_EVIDENCE)
    .map(({ code, p, sentence }) => ({ code, p, sentence }));
}

/** The simple quantities of one image by name, as measured; undefined: the bundle has none. */
export function statisticsOf(
  scores: Pick<Scores, 'statistics'>,
  { statistics }: Calibrated,
): Readonly<Record<string, number>> | undefined {
  if (statistics === undefined || scores.statistics === undefined) return undefined;
  return Object.fromEntries(statistics.map(({ name }, i) => [name, scores.statistics![i]!]));
}

interface Column {
  readonly name: string;
  readonly value: number;
  /** On calibration images, ascending. */
  readonly good: readonly number[];
}

function columns(
  named: readonly Measurement[],
  values: Float32Array | undefined,
  calibrated: Readonly<Record<string, readonly number[]>> | undefined,
): Column[] {
  return named
    .map(({ name }, i) => ({ name, value: values?.[i] ?? Number.NaN, good: calibrated?.[name] ?? [] }))
    .filter(({ value, good }) => Number.isFinite(value) && good.length > 0);
}

function aboutVoice({ name, value, good }: Column, place: () => string | null): Finding | null {
  const { code, placed, subject } = knownVoice(name);
  const below = countBelow(value, good);
  const n = good.length;
  const p = (1 + n - below) / (n + 1);
  if (!isRare(p, below, n)) return null;
  const where = placed ? place() : null;
  const sentence = inWords(EVIDENCE[code].sentence, {
    name,
    good: countIn(below, n),
    place: where === null ? '' : `, most ${where}`,
  });
  return {
    code,
    p,
    sentence,
    subject,
    directed: false,
    leading: false,
    strength: strengthOf(value, good, LEAST_SPREAD),
  };
}

/** Compared in whole steps, so that rounding is no difference, and sentences and counts agree. */
function aboutStatistic({ name, value, good }: Column): Finding | null {
  const { low, high, step, subject, leads } = knownStatistic(name);
  const rounded = (x: number) => (step === null ? Number(x.toPrecision(4)) : Math.round(x / step));
  const [it, them] = [rounded(value), good.map(rounded)];
  const n = them.length;
  const below = countBelow(it, them);
  const above = countBelow(-it, them.map((x) => -x).reverse());
  const beyond = Math.max(below, above);
  const p = Math.min(1, (2 * (1 + n - beyond)) / (n + 1));
  if (!isRare(p, beyond, n)) return null;
  const end = above > below ? 'low' : 'high';
  const code: EvidenceCode = end === 'low' ? low : high;
  const scale = step ?? 1;
  const sentence = inWords(EVIDENCE[code].sentence, {
    name,
    good: countIn(beyond, n),
    ...rangeIn(
      it * scale,
      them.map((x) => x * scale),
      beyond === n,
    ),
  });
  const least = step === null ? 1e-4 * Math.abs(middleOf(them)) || Number.EPSILON : 1;
  return {
    ...{ code, p, sentence },
    ...{ subject: subject[end], directed: true, leading: leads === end },
    strength: strengthOf(it, them, least),
  };
}

function isRare(p: number, beyond: number, n: number): boolean {
  return p <= LEVEL || (beyond === n && n >= ENOUGH);
}

/** How many of `sorted` (ascending) are smaller than `value`. */
function countBelow(value: number, sorted: readonly number[]): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How far `value` lies out, the same for voices and statistics, whose p are no measure of it: both end at what n allows.
 * Distance from the median of good images in standard deviations, by the distance of their 5th or 95th percentile on
 * the same side (1.645 deviations in a normal distribution), for many quantities lean to one side. `least` is the
 * smallest deviation that is believed, so that good images all alike make nothing infinitely strong.
 */
function strengthOf(value: number, good: readonly number[], least: number): number {
  const median = middleOf(good);
  const edge = good[Math.round((value < median ? 0.05 : 0.95) * (good.length - 1))]!;
  return Math.abs(value - median) / Math.max(Math.abs(edge - median) / 1.645, least);
}

function middleOf(sorted: readonly number[]): number {
  return sorted[(sorted.length - 1) >>> 1]!;
}

/** The first of each subject; but one that leads before others, and one that has a direction before one that has none. */
function onePerSubject(findings: readonly Finding[]): Finding[] {
  const rank = ({ directed, leading }: Finding) => Number(directed) + Number(leading);
  return findings.filter(
    (finding, i) =>
      !findings.some(
        (other, j) =>
          other.subject === finding.subject &&
          (rank(other) > rank(finding) || (rank(other) === rank(finding) && j < i)),
      ),
  );
}
