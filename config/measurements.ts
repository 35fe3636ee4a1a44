/** What is known of the voices and statistics that a bundle may name: the codes that they become evidence under. */
import type { EvidenceCode } from './evidence.ts';

/** A voice: a robust z, larger is more anomalous. */
export interface KnownVoice {
  readonly code: EvidenceCode;
  /** Whether the map says where. */
  readonly placed: boolean;
  /** Of evidence on one subject only the strongest is told, a statistic before a voice: it has a direction. */
  readonly subject: string;
}

/** A statistic: a quantity that may be too low or too high. */
export interface KnownStatistic {
  readonly low: EvidenceCode;
  readonly high: EvidenceCode;
  /** Smaller differences are rounding, or nothing that anyone could see; null: unknown, four digits are compared. */
  readonly step: number | null;
  readonly subject: Readonly<Record<'low' | 'high', string>>;
  /** At which end it is told rather than another statistic of the same subject, whichever is stronger. */
  readonly leads: 'low' | 'high' | null;
}

const VOICES: ReadonlyMap<string, KnownVoice> = new Map<string, KnownVoice>([
  ['sharpness', { code: 'sharpness-unlike', placed: false, subject: 'too little detail' }],
  ['texture-foreground', { code: 'texture-unlike', placed: true, subject: 'texture' }],
  ['texture-centre', { code: 'texture-centre-unlike', placed: false, subject: 'texture-centre' }],
  ['encoder', { code: 'encoder-unlike', placed: false, subject: 'encoder' }],
  ['encoder-patches', { code: 'encoder-patches-unlike', placed: false, subject: 'encoder-patches' }],
  ['energy', { code: 'energy-unlike', placed: true, subject: 'energy' }],
]);

const about = (subject: string) => ({ subject: { low: subject, high: subject }, leads: null });

/** Blur takes grain away with the detail, and grain looks like detail: one cause, told by its own name. */
const DETAIL = { low: 'too little detail', high: 'too much detail' };

/** All are shares, or differences of values from 0 to 1. */
const STATISTICS: ReadonlyMap<string, KnownStatistic> = new Map<string, KnownStatistic>([
  ['brightness', { ...ends('brightness'), step: 1e-3, ...about('brightness') }],
  ['contrast', { ...ends('contrast'), step: 1e-3, ...about('contrast') }],
  ['sharpness', { ...ends('sharpness'), step: 1e-5, subject: DETAIL, leads: 'low' }],
  ['noise', { ...ends('noise'), step: 1e-5, subject: DETAIL, leads: 'high' }],
  ['foreground', { low: 'foreground-small', high: 'foreground-large', step: 1e-3, ...about('extent') }],
  ['box', { low: 'box-small', high: 'box-large', step: 1e-3, ...about('extent') }],
  ['saturation', { ...ends('saturation'), step: 1e-3, ...about('saturation') }],
  ['red-green', { ...ends('red-green'), step: 1e-3, ...about('red-green') }],
  ['blue-green', { ...ends('blue-green'), step: 1e-3, ...about('blue-green') }],
]);

export function knownVoice(name: string): KnownVoice {
  return VOICES.get(name) ?? { code: 'voice-unlike', placed: false, subject: `voice ${name}` };
}

export function knownStatistic(name: string): KnownStatistic {
  return STATISTICS.get(name) ?? { ...ends('statistic'), step: null, ...about(`statistic ${name}`) };
}

type Directed<C> = C extends `${infer Stem}-low` ? Stem : never;

function ends<Stem extends Directed<EvidenceCode>>(stem: Stem): Pick<KnownStatistic, 'low' | 'high'> {
  return { low: `${stem}-low`, high: `${stem}-high` };
}
