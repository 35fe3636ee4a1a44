/** `agent recalibrate`: a new bundle for this device, calibrated on captures that an operator confirmed as fine. */
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { AgentSettings } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import type { ThresholdRule } from '../config/threshold.ts';
import { pathTo } from './ingest/names.ts';
import { readBundle, writeBundle } from './inspect/bundle.ts';
import { outputsOf } from './inspect/calibration.ts';
import { type Meaning, whatItMeans } from './inspect/falseAlarms.ts';
import { type Inspector, loadInspector } from './inspect/inspect.ts';
import {
  besideOf,
  calledBy,
  doubtOf,
  type GoodOutputs,
  recalibrateBundle,
  requireFree,
} from './inspect/recalibrate.ts';
import { type LedgerReader, type LedgerRow, openLedgerReader } from './ledger/reader.ts';

export interface RecalibratedOnDevice {
  readonly bundle: string;
  /** Captures that the calibration now comes from: confirmed ones of different content. */
  readonly images: number;
  /** How many of them the old threshold calls for review, and the new one. */
  readonly called: { readonly before: number; readonly now: number };
  readonly threshold: { readonly before: number; readonly now: number };
  readonly falseAlarms: Meaning['falseAlarms'];
  /** Confirmed captures of the same content as another. */
  readonly copies: number;
  /** What makes the result doubtful, in words; empty: nothing. */
  readonly warnings: readonly string[];
}

export interface DeviceRecalibration {
  readonly settings: Pick<
    AgentSettings,
    'bundle' | 'watch.path' | 'state.path' | 'limits.pixels' | 'limits.bytes'
  >;
  /** Captures that somebody looked at and found fine, by their paths within the watched folder. */
  readonly confirmed: readonly string[];
  readonly out: string | undefined;
  /** Of the conformal rule: another rate of false alarms to promise. */
  readonly alpha: number | undefined;
  readonly onImage: (done: number, all: number) => void;
}

/**
 * Scores the confirmed captures again, as they stand in the watched folder, and writes a new bundle; the agent goes on with
 * the old one until its settings name the new.
 * @throws ConfigError when a name is no capture that was scored, when its file has changed since, or when they are too few.
 * @throws BundleError when the bundle is refused or the new one cannot be written.
 */
export async function recalibrateOnDevice(options: DeviceRecalibration): Promise<RecalibratedOnDevice> {
  const { settings, confirmed, onImage } = options;
  const out = options.out ?? besideOf(settings.bundle);
  await requireFree(out);
  await requireApart(out, settings['watch.path']);
  const { digest } = (await readBundle(settings.bundle)).manifest;
  const reader = openLedgerReader(settings['state.path']);
  let captures: LedgerRow[];
  let doubts: string[];
  try {
    captures = scoredCaptures(reader, confirmed);
    doubts = doubtsOf(reader, captures, digest);
  } finally {
    reader.close();
  }
  const limits = { pixels: settings['limits.pixels'], bytes: settings['limits.bytes'] };
  const inspector = await loadInspector({
    ...{ bundlePath: settings.bundle, executionProvider: 'cpu', threads: 1, limits },
  });
  try {
    const images = new Map<string, GoodOutputs>();
    for (const [i, capture] of captures.entries()) {
      const image = await scoreAgain(inspector, settings['watch.path'], capture);
      images.set(`${image.sha256} ${capture.frame}`, image);
      onImage(i + 1, captures.length);
    }
    const { threshold } = inspector.bundle.manifest;
    const rule = ruleOf(threshold.rule, options.alpha);
    const bundle = recalibrateBundle(inspector.bundle, [...images.values()], rule);
    await writeBundle(out, bundle);
    const { called, falseAlarms } = whatItMeans(bundle.manifest);
    const before = calledBy(inspector.bundle, bundle.manifest.calibration.scores);
    const doubt = doubtOf(before, images.size);
    return {
      ...{ bundle: out, images: images.size, copies: captures.length - images.size, falseAlarms },
      warnings: [...doubts, ...(doubt === null ? [] : [doubt])],
      called: { before, now: called },
      threshold: { before: threshold.upper, now: bundle.manifest.threshold.upper },
    };
  } finally {
    await inspector.close();
  }
}

function ruleOf(rule: ThresholdRule, alpha: number | undefined): ThresholdRule {
  if (alpha === undefined) return rule;
  if (rule.rule === 'conformal') return { ...rule, alpha };
  throw new ConfigError(`--alpha is of the rule conformal, and this bundle has the rule ${rule.rule}.`);
}

/** @throws ConfigError when the watched folder is not there, or the new bundle would lie in it. */
async function requireApart(out: string, watched: string): Promise<void> {
  const folder = await realpath(watched).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(`The watched folder ${watched} cannot be read (${cause.code}).`, { cause });
  });
  const within = path.relative(folder, await realpath(path.dirname(out)));
  if (within !== '..' && !within.startsWith(`..${path.sep}`) && !path.isAbsolute(within))
    throw new ConfigError(
      `--out ${out} lies in the watched folder, where only captures belong. Choose another.`,
    );
}

/** By path the captures of each file as it was seen last, with their newest verdicts. */
function newestOf(oldestFirst: Iterable<LedgerRow>): Map<string, LedgerRow[]> {
  const files = new Map<string, LedgerRow[]>();
  for (const row of oldestFirst) {
    const before = files.get(row.path) ?? [];
    const others = before.filter(({ sha256, frame }) => sha256 === row.sha256 && frame !== row.frame);
    files.set(row.path, [...others, row]);
  }
  return files;
}

/** Of each capture its newest verdict. @throws ConfigError naming all that are none, or a few of many. */
function scoredCaptures(reader: LedgerReader, names: readonly string[]): LedgerRow[] {
  const wanted = new Set(names);
  const newest = newestOf(Iterator.from(reader.rows({}, 'oldest')).filter(({ path }) => wanted.has(path)));
  const rows: LedgerRow[] = [];
  const wrong: string[] = [];
  for (const name of wanted) {
    const captures = newest.get(name);
    const unscored = captures?.find(({ verdict }) => verdict === 'unscorable');
    if (captures === undefined) wrong.push(`there is no record of ${shown(name)}`);
    else if (unscored !== undefined) {
      const frame = unscored.frame === null ? '' : `, frame ${unscored.frame}`;
      wrong.push(`${shown(name)} could not be scored (${unscored.reason}${frame})`);
    } else rows.push(...captures);
  }
  if (wrong.length === 0) return rows;
  const more = wrong.length > TOLD ? `; and ${wrong.length - TOLD} more` : '';
  throw new ConfigError(
    `${wrong.slice(0, TOLD).join('; ')}${more}. Give the paths of scored captures as \`agent ledger list --json\` shows them, one a line.`,
  );
}

/** So many names are told of what is wrong, each cut to a length. */
const TOLD = 5;
const shown = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);

async function scoreAgain(inspector: Inspector, folder: string, capture: LedgerRow): Promise<GoodOutputs> {
  const content = await readFile(pathTo(folder, capture.path)).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `${capture.path} cannot be read in the watched folder any more (${cause.code}). Leave it out, or put it back.`,
      { cause },
    );
  });
  const { inspection, scores } = await inspector.inspectWithMap(content, capture.frame ?? 1);
  if (inspection.sha256 !== capture.sha256)
    throw new ConfigError(
      `${capture.path} is not the capture that was confirmed: its content has changed since its verdict. Leave it out.`,
    );
  if (inspection.outcome === 'unscorable')
    throw new ConfigError(
      `${capture.path} cannot be scored by this bundle: ${inspection.message} Leave it out.`,
    );
  return { sha256: capture.sha256!, ...outputsOf(scores!) };
}

/** More of those that passed than this share may be missing among the confirmed. */
const LEFT_OUT = 0.1;

/**
 * What is doubtful about the choice of captures; empty: nothing. A threshold from captures that were chosen by their
 * verdict promises nothing: those called for review have the highest scores of all, those that passed the lowest.
 */
function doubtsOf(reader: LedgerReader, captures: readonly LedgerRow[], model: string): string[] {
  const times = captures.map(({ recordedAt }) => Date.parse(recordedAt));
  const [since, until] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b)) + 1];
  const newest = [...newestOf(reader.rows({ since, until }, 'oldest')).values()].flat();
  const confirmed = new Set(captures.map(({ path }) => path));
  const of = (verdict: LedgerRow['verdict']) => newest.filter((row) => row.verdict === verdict);
  const left = (rows: readonly LedgerRow[]) => rows.filter(({ path }) => !confirmed.has(path)).length;
  const [passed, called] = [of('pass'), of('review')];
  const others = captures.filter((row) => row.model !== model).length;
  return [
    ...(left(passed) > LEFT_OUT * passed.length
      ? [
          `${left(passed)} of the ${passed.length} captures of that time that passed are not confirmed. A threshold promises its rate only for captures like these: confirm every fine one of a stretch of time, whatever its verdict.`,
        ]
      : []),
    ...(called.length > 0 && left(called) === called.length
      ? [
          `None of the ${called.length} captures of that time that were called for review is confirmed. If some of them were fine, confirm them too: without them the threshold becomes too low.`,
        ]
      : []),
    ...(others > 0
      ? [`${others} of the ${captures.length} captures were judged by another bundle than this one.`]
      : []),
  ];
}
