/** `agent run`: the parts put together. capture -> pixels -> score -> verdict -> ledger -> MQTT. */
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type AgentSettings, SETTINGS } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import type { SettingSources } from '../config/settings.ts';
import type { Alert, Reported } from '../config/topics.ts';
import { answerDesired } from './control/desired.ts';
import { createNotifier } from './control/notify.ts';
import { watchSettingsFile } from './control/settingsFile.ts';
import { openThresholds } from './control/thresholds.ts';
import { startWatchdog, type Vital } from './control/watchdog.ts';
import { siteKey } from './deliver/identity.ts';
import { type Ledger, openLedger } from './deliver/ledger.ts';
import { type Publishing, startPublishing } from './deliver/publish.ts';
import { type Ingest, startIngest } from './ingest/ingest.ts';
import { captureAt } from './ingest/look.ts';
import { createLog } from './log.ts';
import packageJson from './package.json' with { type: 'json' };
import { type Pipeline, startPipeline } from './pipeline.ts';
import { openPool } from './scorers/pool.ts';
import { makeVerdict, type Origin } from './verdict.ts';

/** Milliseconds that captures in work get when the agent is stopped. */
const PATIENCE = 3000;
/** Milliseconds that one reading of the whole folder may take. */
const SWEEP_ALLOWANCE = 600_000;
/** Milliseconds that replacing scoring processes may add to two tries at one capture. */
const RESPAWN_ALLOWANCE = 60_000;
/** Milliseconds that `--once` waits for a broker to answer, and for one that has answered to take the verdicts. */
const CONNECTION_PATIENCE = 3000;
const DELIVERY_PATIENCE = 30_000;

export interface RunContext {
  /** Where the settings came from, to read them again. */
  readonly sources: SettingSources;
  /** Handle what is there, deliver it, end. */
  readonly once: boolean;
  readonly stop: AbortSignal;
  /** systemd's NOTIFY_SOCKET and WATCHDOG_USEC. */
  readonly notifySocket: string | undefined;
  readonly watchdogMicroseconds: string | undefined;
  /** Readable log lines instead of JSON. */
  readonly pretty: boolean;
}

/**
 * Runs until `stop`, or with `once` until everything is handled.
 * @throws ConfigError, BundleError, StateFolderError, LedgerError when it cannot start.
 */
export async function run(settings: AgentSettings, context: RunContext): Promise<void> {
  requireSettings(settings, 'bundle', 'watch.path');
  const { stop, sources } = context;
  const { 'watch.path': folder, 'state.path': stateFolder } = settings;
  const log = createLog({
    level: settings['log.level'],
    paths: settings['log.paths'],
    pretty: context.pretty,
  });
  const notifier = createNotifier(context.notifySocket, log);
  const startedAt = new Date().toISOString();
  const conditions = trackConditions();
  // Closed in the opposite order: no new captures, those in work end, verdicts leave, the ledger last.
  await using open = new AsyncDisposableStack();

  const ledger = await openLedger(stateFolder);
  open.defer(() => ledger.close());

  const pool = await openPool({
    bundle: settings.bundle,
    processes: settings['scorer.processes'],
    threads: settings['scorer.threads'],
    executionProvider: settings['scorer.executionProvider'],
    deadlineMilliseconds: settings['limits.scoring'] * 1000,
    limits: { pixels: settings['limits.pixels'], bytes: settings['limits.bytes'] },
    log,
    onCondition: conditions.set,
  });
  open.defer(() => pool.close());
  const { manifest } = pool;
  const model = { name: manifest.name, version: manifest.version, digest: manifest.digest };

  const { thresholds, started } = openThresholds({
    ledger: ledger.thresholds,
    manifest,
    settingsRule: settings.threshold,
    log,
  });

  const parts: { pipeline?: Pipeline; ingest?: Ingest } = {}; // made below, asked about from the first message on
  const disk = { free: await freeBytes(stateFolder) };
  const publishing: Publishing = await startPublishing({
    settings,
    ledger,
    info: () => ({
      schema: 'plumbline/info/1',
      agent: packageJson.version,
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      executionProvider: settings['scorer.executionProvider'],
      startedAt,
      model,
      threshold: thresholds.current(),
    }),
    vitals: () => ({
      queued: parts.pipeline?.queued ?? 0,
      unsettled: parts.ingest?.unsettled ?? 0,
      diskFreeBytes: disk.free,
      scorerRestarts: pool.restarts,
    }),
    onDesired: (payload) => report(answerDesired(payload, thresholds)),
    log,
  });
  open.defer(() => publishing.stop());
  conditions.tell(publishing);
  const report = (answer: Reported | null) => {
    if (answer === null) return;
    publishing.report(answer);
    publishing.infoChanged();
  };
  report(started);

  const { site, device } = settings;
  const origin: Origin = { site, device, key: siteKey(stateFolder), manifest };
  const pipeline = startPipeline({
    folder,
    concurrency: settings['scorer.processes'],
    inspect: pool.inspect,
    look: (name) => captureAt(folder, name),
    obstacle: async () => {
      disk.free = await freeBytes(stateFolder);
      return disk.free >= settings['limits.disk'] ? null : fullDisk(disk.free, settings['limits.disk']);
    },
    ledger,
    verdictOf: (capture, inspection, seq) =>
      makeVerdict(origin, thresholds.current(), capture, inspection, seq),
    onRecorded: (verdict, capture) => {
      const { seq, image, verdict: word, reason, score, p } = verdict;
      log.info({ seq, ref: image.ref, verdict: word, reason, score, p, path: capture.name }, 'verdict');
      publishing.wake();
    },
    onChanged: (name) => parts.ingest?.reconsider(name),
    onCondition: conditions.set,
  });
  parts.pipeline = pipeline;
  open.defer(() => pipeline.close(PATIENCE));

  const ingest = await startIngest({
    folder,
    ignore: settings['watch.ignore'],
    settleMilliseconds: settings['watch.settle'] * 1000,
    sweepMilliseconds: settings['watch.sweep'] * 1000,
    isKnown: (capture) => pipeline.has(capture) || ledger.isRecorded(capture),
    onCapture: pipeline.add,
    onCondition: conditions.set,
    log,
  });
  parts.ingest = ingest;
  open.defer(() => ingest.close());

  if (sources.file !== undefined) {
    const file = { ...sources, file: sources.file };
    const watched = watchSettingsFile({ sources: file, settings, thresholds, onReported: report, log });
    open.defer(() => watched.close());
  }
  if (context.watchdogMicroseconds !== undefined) {
    const vitals = () => vitalsOf(settings, ingest, pipeline, conditions);
    const microseconds = Number(context.watchdogMicroseconds);
    const watchdog = startWatchdog({ microseconds, vitals, notifier, log });
    open.defer(() => watchdog.close());
  }
  publishing.ready();
  notifier.ready();
  log.info({ model, threshold: thresholds.current() }, 'ready');

  const handled = async () => {
    await allHandled(ingest, pipeline);
    await delivered(ledger, publishing, stop, log);
  };
  await (context.once ? Promise.race([handled(), aborted(stop)]) : aborted(stop));
  log.info('stopping');
  await notifier.stopping();
}

/** @throws ConfigError when one of the settings is empty. */
function requireSettings(settings: AgentSettings, ...keys: ('bundle' | 'watch.path')[]): void {
  for (const key of keys)
    if (settings[key] === '')
      throw new ConfigError(
        `Setting ${key} is missing: give --${SETTINGS[key].argument}, or set it in the settings file.`,
      );
}

/** Alerts, kept until there is somebody to tell. */
function trackConditions() {
  const current = new Map<Alert, string>();
  let publishing: Publishing | undefined;
  return {
    has: (code: Alert) => current.has(code),
    set(code: Alert, message: string | null) {
      if (message === null) {
        current.delete(code);
        publishing?.clear(code);
      } else {
        current.set(code, message);
        publishing?.raise(code, message);
      }
    },
    tell(to: Publishing) {
      publishing = to;
      for (const [code, message] of current) to.raise(code, message);
    },
  };
}

/** What the watchdog looks at. A full disk, a missing folder, a bundle that does not load: no restart mends those. */
function vitalsOf(
  settings: AgentSettings,
  ingest: Ingest,
  pipeline: Pipeline,
  conditions: { has(code: Alert): boolean },
): Vital[] {
  const twoTries = 2 * settings['limits.scoring'] * 1000;
  const inspecting = conditions.has('scorer-failing') ? null : pipeline.inspecting;
  return [
    { part: 'scan', busy: ingest.sweeping, allowed: SWEEP_ALLOWANCE },
    { part: 'scorer', busy: inspecting, allowed: twoTries + RESPAWN_ALLOWANCE },
  ];
}

/** Resolves when everything that was in the folder has its record. */
async function allHandled(ingest: Ingest, pipeline: Pipeline): Promise<void> {
  await ingest.swept;
  do {
    await ingest.idle();
    await pipeline.idle();
  } while (ingest.unsettled > 0 || pipeline.queued > 0);
}

/** Waits until the broker has everything, for a while. */
async function delivered(
  ledger: Ledger,
  publishing: Publishing,
  stop: AbortSignal,
  log: Logger,
): Promise<void> {
  const start = performance.now();
  const patience = () => (publishing.connected() ? DELIVERY_PATIENCE : CONNECTION_PATIENCE);
  while (ledger.outbox.size().verdicts > 0 && performance.now() - start < patience() && !stop.aborted)
    await delay(20, undefined, { signal: stop }).catch(() => {});
  const { verdicts } = ledger.outbox.size();
  if (verdicts > 0) log.warn(`${verdicts} verdicts wait on disk for the broker`);
}

function fullDisk(free: number, wanted: number): string {
  return `${free} bytes free in the state folder, limits.disk wants ${wanted}. Make space; captures wait meanwhile.`;
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
