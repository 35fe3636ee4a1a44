/** `agent recalibrate`: a new bundle for this device, calibrated on captures that an operator confirmed as fine. */
import { readFile } from 'node:fs/promises';
import type { AgentSettings } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import { pathTo } from './ingest/names.ts';
import { writeBundle } from './inspect/bundle.ts';
import { outputsOf } from './inspect/calibration.ts';
import { type Meaning, whatItMeans } from './inspect/falseAlarms.ts';
import { type Inspector, loadInspector } from './inspect/inspect.ts';
import {
  besideOf,
  calledBy,
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
  /** What makes the result doubtful, in words; null: nothing. */
  readonly warning: string | null;
}

export interface DeviceRecalibration {
  readonly settings: Pick<
    AgentSettings,
    'bundle' | 'watch.path' | 'state.path' | 'limits.pixels' | 'limits.bytes'
  >;
  /** Captures that somebody looked at and found fine, by their paths within the watched folder. */
  readonly confirmed: readonly string[];
  readonly out: string | undefined;
  readonly onImage: (done: number, all: number) => void;
}

/**
 * Scores the confirmed captures again, as they stand in the watched folder, and writes a new bundle; the agent goes on with
 * the old one until its settings name the new.
 * @throws ConfigError when a name is no capture that was scored, when its file has changed since, or when they are too few.
 */
export async function recalibrateOnDevice(options: DeviceRecalibration): Promise<RecalibratedOnDevice> {
  const { settings, confirmed, onImage } = options;
  const out = options.out ?? besideOf(settings.bundle);
  await requireFree(out);
  const reader = openLedgerReader(settings['state.path']);
  let captures: LedgerRow[];
  let warning: string | null;
  try {
    captures = [...new Set(confirmed)].map((name) => scoredCapture(reader, name));
    warning = biasOf(reader, captures);
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
      images.set(image.sha256, image);
      onImage(i + 1, captures.length);
    }
    const { threshold } = inspector.bundle.manifest;
    const bundle = recalibrateBundle(inspector.bundle, [...images.values()], threshold.rule);
    await writeBundle(out, bundle);
    const { called, falseAlarms } = whatItMeans(bundle.manifest);
    return {
      ...{ bundle: out, images: images.size, falseAlarms, warning },
      called: { before: calledBy(inspector.bundle, bundle.manifest.calibration.scores), now: called },
      threshold: { before: threshold.upper, now: bundle.manifest.threshold.upper },
    };
  } finally {
    await inspector.close();
  }
}

/** The newest verdict on the capture. */
function scoredCapture(reader: LedgerReader, name: string): LedgerRow {
  const [row] = [...reader.rows({ path: name }, 'newest')].filter(({ path }) => path === name);
  if (row === undefined)
    throw new ConfigError(
      `There is no record of ${name}. Give the paths of captures as \`agent ledger list\` shows them, one a line.`,
    );
  if (row.verdict === 'unscorable')
    throw new ConfigError(`${name} could not be scored (${row.reason}): it cannot be confirmed as fine.`);
  return row;
}

async function scoreAgain(inspector: Inspector, folder: string, capture: LedgerRow): Promise<GoodOutputs> {
  const content = await readFile(pathTo(folder, capture.path)).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `${capture.path} cannot be read in the watched folder any more (${cause.code}). Leave it out, or put it back.`,
      { cause },
    );
  });
  const { inspection, scores } = await inspector.inspectWithMap(content);
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

/** Twice as many called for review among the confirmed as among all captures of their time. */
const BIASED = 2;

/**
 * A threshold from captures that were chosen by their verdict promises nothing: those called for review have the highest
 * scores of all, those that passed the lowest.
 */
function biasOf(reader: LedgerReader, captures: readonly LedgerRow[]): string | null {
  const times = captures.map(({ recordedAt }) => Date.parse(recordedAt));
  const all = [
    ...reader.rows(
      {
        since: times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
        until: times.reduce((a, b) => Math.max(a, b), 0) + 1,
      },
      'newest',
    ),
  ].filter(({ verdict }) => verdict !== 'unscorable');
  const called = (rows: readonly LedgerRow[]) => rows.filter(({ verdict }) => verdict === 'review').length;
  const [among, usual] = [called(captures) / captures.length, called(all) / all.length];
  if (among <= BIASED * usual) return null;
  return `${called(captures)} of the ${captures.length} confirmed captures had been called for review, but ${called(all)} of all ${all.length} of that time. A threshold promises its rate only for captures like these: confirm every fine one of a stretch of time, whatever its verdict.`;
}
