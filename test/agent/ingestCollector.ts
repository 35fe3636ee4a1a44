/** Runs the ingest on a fresh folder and remembers what it hands over, as the ledger would. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Capture } from '../../agent/capture.ts';
import { type Ingest, type IngestOptions, startIngest } from '../../agent/ingest/ingest.ts';

const HOUR = 3_600_000;

export interface Collector extends Ingest {
  /** All that was handed over, in order. */
  readonly captures: Capture[];
  /** Conditions as they were reported, `code: message`. */
  readonly conditions: string[];
  /** Versions with a record; give them to a second collector as after a restart. */
  readonly records: Set<string>;
  /** Waits until a capture or condition satisfies the test. */
  until(test: (collector: Collector) => boolean): Promise<void>;
  names(): string[];
}

export async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ingest-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Sweeps and quiet time take an hour unless told otherwise, so that a test shows what works without them. */
export async function collect(
  t: Pick<TestContext, 'after'>,
  folder: string,
  given: Partial<IngestOptions> & {
    readonly records?: Set<string>;
    /** Called in the middle of each look at a file. */
    readonly onLook?: (capture: Capture) => void;
  } = {},
): Promise<Collector> {
  const { records = new Set<string>(), onLook, onCapture, ...options } = given;
  const captures: Capture[] = [];
  const conditions: string[] = [];
  const waiters = new Set<() => void>();
  const keyOf = (c: Capture) => `${c.name}\n${c.size}\n${c.modifiedNanoseconds}\n${c.kind}`;
  const changed = () => {
    for (const waiter of waiters) waiter();
  };
  const ingest = await startIngest({
    folder,
    ignore: ['.*', '*.tmp'],
    settleMilliseconds: HOUR,
    sweepMilliseconds: HOUR,
    pollingMilliseconds: null,
    depth: 32,
    hasRoom: () => true,
    isKnown: (capture) => {
      onLook?.(capture);
      return records.has(keyOf(capture));
    },
    onCapture: (capture, urgent) => {
      records.add(keyOf(capture));
      captures.push(capture);
      onCapture?.(capture, urgent);
      changed();
    },
    onCondition: (code, message) => {
      conditions.push(`${code}: ${message}`);
      changed();
    },
    log: pino({ level: 'silent' }),
    ...options,
  });
  t.after(() => ingest.close());
  const until = (test: (collector: Collector) => boolean) =>
    new Promise<void>((resolve) => {
      const waiter = () => {
        if (!test(collector)) return;
        waiters.delete(waiter);
        resolve();
      };
      waiters.add(waiter);
      waiter();
    });
  const names = () => captures.map((capture) => capture.name).sort();
  const own = { captures, conditions, records, until, names };
  const collector: Collector = Object.defineProperties(
    own,
    Object.getOwnPropertyDescriptors(ingest),
  ) as Collector;
  return collector;
}
