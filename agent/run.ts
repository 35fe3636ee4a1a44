/** `agent run`: the parts put together. capture -> pixels -> score -> verdict -> ledger -> MQTT. */
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AgentSettings } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import type { SettingSources } from '../config/settings.ts';
import type { Alert, Info, Reported } from '../config/topics.ts';
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
import { startPipeline } from './pipeline.ts';
import { openPool } from './scorers/pool.ts';
import { makeVerdict, type Origin } from './verdict.ts';

/** Milliseconds that captures in work get when the agent is stopped. */
const PATIENCE = 3000;
/** Milliseconds that one reading of the whole folder may take. */
const SWEEP_ALLOWANCE = 600_000;
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
 * @throws ConfigError, BundleError, StateFolderError when it cannot start.
 */
export async function run(settings: AgentSettings, context: RunContext): Promise<void> {
  for (const [key, argument] of [
    ['bundle', 'bundle'],
    ['watch.path', 'watch'],
  ] as const)
    if (settings[key] === '')
      throw new ConfigError(`Setting ${key} is missing: give --${argument}, or set it in the settings file.`);
  const log = createLog({
    level: settings['log.level'],
    paths: settings['log.paths'],
    pretty: context.pretty,
  });
  const limits = { pixels: settings['limits.pixels'], bytes: settings['limits.bytes'] };
  const startedAt = new Date().toISOString();

  const notifier = createNotifier(context.notifySocket, log);

  const ledger = await openLedger(settings['state.path']);
  const early = new Map<Alert, string | null>(); // conditions before there is anyone to tell
  let publishing: Publishing | undefined;
  let ingest: Ingest | undefined;
  let scorersFail = false;
  const condition = (code: Alert, message: string | null) => {
    if (code === 'scorer-failing') scorersFail = message !== null;
    if (publishing === undefined) early.set(code, message);
    else if (message === null) publishing.clear(code);
    else publishing.raise(code, message);
  };
  const pool = await openPool({
    bundle: settings.bundle,
    processes: settings['scorer.processes'],
    threads: settings['scorer.threads'],
    executionProvider: settings['scorer.executionProvider'],
    deadlineMilliseconds: settings['limits.scoring'] * 1000,
    limits,
    log,
    onCondition: condition,
  });
  const { manifest } = pool;
  const { thresholds, started } = openThresholds({
    ledger: ledger.thresholds,
    manifest,
    settingsRule: settings.threshold,
    log,
  });
  const model = { name: manifest.name, version: manifest.version, digest: manifest.digest };
  const origin: Origin = {
    site: settings.site,
    device: settings.device,
    key: siteKey(settings['state.path']),
    manifest,
  };

  const free = () => freeBytes(settings['state.path']);
  let diskFreeBytes = await free();
  const pipeline = startPipeline({
    folder: settings['watch.path'],
    concurrency: settings['scorer.processes'],
    inspect: pool.inspect,
    look: (name) => captureAt(settings['watch.path'], name),
    obstacle: async () => {
      diskFreeBytes = await free();
      if (diskFreeBytes >= settings['limits.disk']) return null;
      return `${diskFreeBytes} bytes free in the state folder, limits.disk wants ${settings['limits.disk']}. Make space; captures wait meanwhile.`;
    },
    ledger,
    verdictOf: (capture, inspection, seq) =>
      makeVerdict(origin, thresholds.current(), capture, inspection, seq),
    onRecorded: (verdict, capture) => {
      const { seq, image, verdict: word, reason, score, p } = verdict;
      log.info({ seq, ref: image.ref, verdict: word, reason, score, p, path: capture.name }, 'verdict');
      publishing?.wake();
    },
    onChanged: (name) => ingest?.reconsider(name),
    onCondition: condition,
  });

  const report = (answer: Reported | null) => {
    if (answer === null) return;
    publishing?.report(answer);
    publishing?.infoChanged();
  };
  publishing = await startPublishing({
    settings,
    ledger,
    info: (): Info => ({
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
      queued: pipeline.queued,
      unsettled: ingest?.unsettled ?? 0,
      diskFreeBytes,
      scorerRestarts: pool.restarts,
    }),
    onDesired: (payload) => report(answerDesired(payload, thresholds)),
    log,
  });
  for (const [code, message] of early) condition(code, message);
  report(started);

  const captures = await startIngest({
    folder: settings['watch.path'],
    ignore: settings['watch.ignore'],
    settleMilliseconds: settings['watch.settle'] * 1000,
    sweepMilliseconds: settings['watch.sweep'] * 1000,
    isKnown: (capture) => pipeline.has(capture) || ledger.isRecorded(capture),
    onCapture: pipeline.add,
    onCondition: condition,
    log,
  });
  ingest = captures;
  const { sources } = context;
  const settingsFile =
    sources.file === undefined
      ? null
      : watchSettingsFile({
          sources: { ...sources, file: sources.file },
          settings,
          thresholds,
          onReported: report,
          log,
        });
  publishing.ready();
  notifier.ready();
  const watchdog =
    context.watchdogMicroseconds === undefined
      ? null
      : startWatchdog({ microseconds: Number(context.watchdogMicroseconds), vitals, notifier, log });
  log.info({ model, threshold: thresholds.current() }, 'ready');

  try {
    if (context.once) await Promise.race([handleAll(), aborted(context.stop)]);
    else await aborted(context.stop);
  } finally {
    log.info('stopping');
    await notifier.stopping();
    watchdog?.close();
    settingsFile?.close();
    await captures.close();
    await pipeline.close(PATIENCE);
    await publishing.stop();
    await pool.close();
    ledger.close();
  }

  /** What the watchdog looks at. A full disk, a missing folder, a bundle that does not load: no restart mends those. */
  function vitals(): Vital[] {
    const scoring = settings['limits.scoring'] * 1000;
    return [
      { part: 'scan', busy: captures.sweeping, allowed: SWEEP_ALLOWANCE },
      { part: 'scorer', busy: scorersFail ? null : pipeline.inspecting, allowed: 3 * scoring + 30_000 },
    ];
  }

  async function handleAll(): Promise<void> {
    await captures.swept;
    do {
      await captures.idle();
      await pipeline.idle();
    } while (captures.unsettled > 0 || pipeline.queued > 0);
    await delivered(ledger, () => publishing?.connected() === true, context.stop, log);
  }
}

/** Waits until the broker has everything, for a while. */
async function delivered(
  ledger: Ledger,
  connected: () => boolean,
  stop: AbortSignal,
  log: Logger,
): Promise<void> {
  const start = performance.now();
  const patience = () => (connected() ? DELIVERY_PATIENCE : CONNECTION_PATIENCE);
  while (ledger.outbox.size().verdicts > 0 && performance.now() - start < patience() && !stop.aborted)
    await delay(20, undefined, { signal: stop }).catch(() => {});
  const { verdicts } = ledger.outbox.size();
  if (verdicts > 0) log.warn(`${verdicts} verdicts wait on disk for the broker`);
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
