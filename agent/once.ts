/** `agent run --once`: handle what is there, deliver it, end, or say why not. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Alert } from '../config/topics.ts';
import type { Conditions } from './conditions.ts';
import type { LedgerOutbox } from './deliver/ledgerOutbox.ts';
import type { Publishing } from './deliver/publish.ts';
import type { Ingest } from './ingest/ingest.ts';
import type { Pipeline } from './pipeline.ts';

/** Milliseconds to wait for a broker to answer, and for one that has answered to take the verdicts. */
const CONNECTION_PATIENCE = 3000;
const DELIVERY_PATIENCE = 30_000;
/** Conditions under which captures wait. An agent that stays waits with them. */
const OBSTACLES: readonly Alert[] = ['watch-missing', 'disk-full', 'ledger-failing', 'scorer-failing'];

export interface OnceOptions {
  readonly ingest: Ingest;
  readonly pipeline: Pipeline;
  readonly conditions: Conditions;
  readonly outbox: LedgerOutbox;
  readonly publishing: Publishing;
  readonly stop: AbortSignal;
}

/** Resolves when everything is handled and delivered as far as the broker takes it: with why not, or null. */
export async function handleOnce(options: OnceOptions): Promise<string | null> {
  const { ingest, pipeline, conditions } = options;
  const handled = allHandled(ingest, pipeline).then(() => null);
  const obstacle = await Promise.race([conditions.until(OBSTACLES), handled]);
  await delivered(options);
  return obstacle;
}

/** Resolves when everything that was in the folder has its record. */
async function allHandled(ingest: Ingest, pipeline: Pipeline): Promise<void> {
  await ingest.swept;
  do {
    await ingest.idle();
    await pipeline.idle();
  } while (ingest.unsettled > 0 || ingest.sweeping !== null || pipeline.queued > 0);
}

/** Waits until the broker has everything, for a while. */
async function delivered({ outbox, publishing, stop }: OnceOptions): Promise<void> {
  const start = performance.now();
  const patience = () => (publishing.connected() ? DELIVERY_PATIENCE : CONNECTION_PATIENCE);
  while (outbox.size().verdicts > 0 && performance.now() - start < patience() && !stop.aborted)
    await delay(20, undefined, { signal: stop }).catch(() => {});
}
