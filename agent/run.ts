/** `agent run`: the parts put together. capture -> pixels -> score -> verdict -> ledger -> MQTT. */
import type { AgentSettings } from '../config/agent.ts';
import type { SettingSources } from '../config/settings.ts';
import type { Reported } from '../config/topics.ts';
import { requireApart } from './apart.ts';
import { trackConditions } from './conditions.ts';
import { answerDesired } from './control/desired.ts';
import { createNotifier } from './control/notify.ts';
import { watchSettingsFile } from './control/settingsFile.ts';
import { openThresholds } from './control/thresholds.ts';
import { startWatchdog } from './control/watchdog.ts';
import { hasSiteKey, siteKey } from './deliver/identity.ts';
import { openLedger } from './deliver/ledger.ts';
import type { Holder } from './deliver/lock.ts';
import { type Publishing, startPublishing } from './deliver/publish.ts';
import { missingMessage, rebuiltMessage } from './deliver/rebuild.ts';
import { SCHEMA_VERSION } from './deliver/schema.ts';
import { telling } from './deliver/telling.ts';
import { openDiskProbe } from './disk.ts';
import type { FaultPoint } from './faultPoints.ts';
import { type Ingest, startIngest } from './ingest/ingest.ts';
import { captureAt } from './ingest/look.ts';
import { createLog } from './log.ts';
import { handleOnce } from './once.ts';
import packageJson from './package.json' with { type: 'json' };
import { type Pipeline, startPipeline } from './pipeline.ts';
import { scorerProcesses } from './scorers/count.ts';
import { endLeftovers, writeDownScorers } from './scorers/leftovers.ts';
import { openPool } from './scorers/pool.ts';
import { requireSettings } from './settingsOptions.ts';
import { makeVerdict, type Origin } from './verdict.ts';
import { vitalsOf } from './vitals.ts';

/** Milliseconds that captures in work get when the agent is stopped. */
const PATIENCE = 3000;
/** How often it is asked what others did to the ledger, milliseconds: asked for captures again, or took it away. */
const LEDGER_LOOK = 1000;

export interface RunContext {
  /** Where the settings came from, to read them again. */
  readonly sources: SettingSources;
  /** Handle what is there, deliver it, end. */
  readonly once: boolean;
  readonly stop: AbortSignal;
  /** systemd's NOTIFY_SOCKET and WATCHDOG_USEC. */
  readonly notifySocket: string | undefined;
  readonly watchdogMicroseconds: string | undefined;
  readonly faultPoint: FaultPoint;
  /** Readable log lines instead of JSON. */
  readonly pretty: boolean;
}

export interface Outcome {
  /** Why `once` ended before everything was handled, in words; null: it was, or the agent was stopped. */
  obstacle: string | null;
  /** Verdicts that wait on disk for the broker. */
  unsent: number;
}

/**
 * Runs until `stop`, or with `once` until everything is handled.
 * @throws ConfigError, BundleError, StateFolderError, LedgerError when it cannot start.
 */
export async function run(settings: AgentSettings, context: RunContext): Promise<Outcome> {
  requireSettings(settings, 'bundle', 'watch.path');
  await requireApart(settings);
  const { stop, sources, faultPoint } = context;
  const { 'watch.path': folder, 'state.path': stateFolder } = settings;
  const log = createLog({
    level: settings['log.level'],
    paths: settings['log.paths'],
    pretty: context.pretty,
  });
  const notifier = createNotifier(context.notifySocket, log);
  const startedAt = new Date().toISOString();
  stop.addEventListener('abort', () => log.info('asked to stop; captures in work get a moment'), {
    once: true,
  });
  const conditions = trackConditions(log);
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // awaited at the end
  const outcome: Outcome = { obstacle: null, unsent: 0 }; // the number is known when all is closed
  // Closed in the opposite order: no new captures, those in work end, verdicts leave, the ledger last.
  await using open = new AsyncDisposableStack();

  const onWait = (holder: Holder | null, patience: number) =>
    log.warn(
      { holder, seconds: patience / 1000 },
      'another agent uses the state folder: waiting for its end',
    );
  const ledger = await openLedger(stateFolder, { onWait, stop, faultPoint });
  open.defer(() => {
    try {
      outcome.unsent = ledger.outbox.size().verdicts;
    } finally {
      ledger.close();
    }
  });
  void ledger.damaged.then(broken.reject);
  if (!ledger.opening.checked)
    log.warn('the ledger is so large that its integrity could not be checked in time');
  const { rebuilt } = ledger;
  if (ledger.opening.rebuilt && rebuilt !== null) {
    log.error({ rebuilt }, 'the ledger was damaged');
    conditions.set('ledger-rebuilt', rebuiltMessage(rebuilt));
  }
  const { missing } = ledger.opening;
  if (missing !== null) conditions.set('ledger-rebuilt', missingMessage(missing));
  if (!hasSiteKey(stateFolder) && ledger.lastVerdictAt() !== null)
    log.error(
      'site.key is missing beside a ledger that holds verdicts: a new one is made, and captures and images get new ids and refs from now on. Restore the old one from a backup',
    );
  const leftovers = endLeftovers(stateFolder);
  if (leftovers.length > 0)
    log.warn({ pids: leftovers }, 'ended scoring processes that an agent left behind');

  const processes = scorerProcesses(settings['scorer.processes'], settings['scorer.executionProvider']);
  const pool = await openPool({
    bundle: settings.bundle,
    processes,
    threads: settings['scorer.threads'],
    executionProvider: settings['scorer.executionProvider'],
    deadlineMilliseconds: settings['limits.scoring'] * 1000,
    decodingMilliseconds: settings['limits.decoding'] * 1000,
    memory: settings['limits.memory'],
    limits: { pixels: settings['limits.pixels'], bytes: settings['limits.bytes'] },
    log,
    onCondition: conditions.set,
    onProcesses: (pids) => writeDownScorers(stateFolder, pids),
  });
  open.defer(() => pool.close());
  if (stop.aborted) return outcome;
  const { manifest } = pool;
  const model = { name: manifest.name, version: manifest.version, digest: manifest.digest };

  const { thresholds, started } = openThresholds({
    ledger: ledger.thresholds,
    manifest,
    settingsRule: settings.threshold,
    log,
  });

  const parts: { pipeline?: Pipeline; ingest?: Ingest } = {}; // made below, asked about from the first message on
  const disk = await openDiskProbe(stateFolder);
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
      ledger: {
        schemaVersion: SCHEMA_VERSION,
        rebuiltAt: rebuilt?.at ?? null,
        setAside: rebuilt?.setAside ?? null,
      },
    }),
    vitals: () => ({
      queued: parts.pipeline?.queued ?? 0,
      unsettled: parts.ingest?.unsettled ?? 0,
      diskFreeBytes: disk.free,
      scorerRestarts: pool.restarts,
    }),
    onDesired: (payload) => {
      const answer = answerDesired(payload, thresholds);
      if (answer !== null) log.info({ reported: answer }, 'desired settings answered');
      report(answer);
    },
    onCondition: conditions.set,
    faultPoint,
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
    concurrency: processes,
    order: settings['watch.order'],
    queue: settings['limits.queue'],
    frames: settings['limits.frames'],
    onRoom: () => void parts.ingest?.sweepNow(),
    inspect: pool.inspect,
    look: (capture) => captureAt(folder, capture.name, capture),
    obstacle: () => disk.shortage(settings['limits.disk']),
    ledger,
    verdictOf: (capture, inspection, place) =>
      makeVerdict(origin, thresholds.current(), capture, inspection, place),
    onRecorded: (verdict, capture) => {
      const { seq, image, verdict: word, reason, score, p } = verdict;
      const { ref, frame } = image;
      log.info({ seq, ref, frame, verdict: word, reason, score, p, path: capture.name }, 'verdict');
      publishing.wake();
    },
    onChanged: (name) => parts.ingest?.reconsider(name),
    onCondition: conditions.set,
    faultPoint,
  });
  parts.pipeline = pipeline;
  open.defer(() => pipeline.close(PATIENCE));

  const read = telling(conditions.set);
  const ingest = await startIngest({
    folder,
    ignore: settings['watch.ignore'],
    settleMilliseconds: settings['watch.settle'] * 1000,
    sweepMilliseconds: settings['watch.sweep'] * 1000,
    pollingMilliseconds: settings['watch.polling'] === 0 ? null : settings['watch.polling'] * 1000,
    depth: settings['limits.depth'],
    isKnown: (capture) => pipeline.has(capture) || read(() => ledger.isRecorded(capture)),
    hasRoom: pipeline.hasRoom,
    onCapture: pipeline.add,
    onCondition: conditions.set,
    log,
  });
  parts.ingest = ingest;
  open.defer(() => ingest.close());

  const ledgerLook = setInterval(() => {
    try {
      ledger.requireInPlace();
      if (ledger.wishes.areNew()) void ingest.sweepNow();
    } catch (error) {
      broken.reject(error);
    }
  }, LEDGER_LOOK);
  open.defer(() => clearInterval(ledgerLook));

  if (sources.file !== undefined) {
    const file = { ...sources, file: sources.file };
    const watched = watchSettingsFile({ sources: file, settings, thresholds, onReported: report, log });
    open.defer(() => watched.close());
  }
  if (context.watchdogMicroseconds !== undefined) {
    const vitals = () => vitalsOf(settings, { ingest, pipeline, disk, conditions });
    const microseconds = Number(context.watchdogMicroseconds);
    const watchdog = startWatchdog({ microseconds, vitals, notifier, log });
    open.defer(() => watchdog.close());
  }
  publishing.ready();
  notifier.ready();
  log.info({ model, threshold: thresholds.current() }, 'ready');

  const { outbox } = ledger;
  const ending = context.once ? [handleOnce({ ingest, pipeline, conditions, outbox, publishing, stop })] : [];
  outcome.obstacle = await Promise.race([...ending, aborted(stop), broken.promise]);
  log.info('stopping');
  await notifier.stopping();
  return outcome;
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
