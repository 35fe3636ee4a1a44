/** Compares what was written with what the subscriber got and what the ledger holds. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Written } from './script.ts';
import type { Version } from './ways.ts';

/** Each finding in words. */
export interface Findings {
  /** Captures without a record of their content, or whose record the subscriber never got. */
  readonly lost: readonly string[];
  /** Captures with several ids. */
  readonly duplicated: readonly string[];
  /** Records that the broker has not acknowledged, by the agent's account. */
  readonly unacknowledged: readonly string[];
  /** Messages without a record: published before the commit. */
  readonly unrecorded: readonly string[];
  /** Records of what never stood there complete: judged while it was written. */
  readonly early: readonly string[];
  readonly records: number;
  /** Distinct ids that the subscriber got. */
  readonly received: number;
  /** Messages that repeat one. */
  readonly repeated: number;
  /** Records that say that scoring processes died on the file. */
  readonly givenUp: number;
}

export interface Message {
  readonly id: string;
  readonly seq: number;
  readonly reason: string;
  readonly image: { readonly ref: string; readonly bytes: number };
  readonly capturedAt: string;
}

interface LedgerRow {
  readonly seq: number;
  readonly name: string;
  readonly size: bigint;
  readonly modified: bigint;
  readonly sha256: string | null;
  readonly id: string;
  readonly reason: string;
  readonly acknowledged: number | null;
}

export function verdictsOf(
  messages: readonly { readonly topic: string; readonly payload: string }[],
): Message[] {
  return messages.filter(({ topic }) => topic.endsWith('/verdict')).map(({ payload }) => JSON.parse(payload));
}

/** What a message says about the file alone: which name, size and time. */
export function keyOfMessage({ image, capturedAt }: Message): string {
  return `${image.ref} ${image.bytes} ${capturedAt}`;
}

/** The same of a version. `image.ref` as docs/mqtt.md describes it; the key stands in the state folder. */
export function keyOfVersion(siteKey: Buffer, { name, size, modifiedNanoseconds }: Version): string {
  const ref = createHmac('sha256', siteKey).update(`ref\0${name}`).digest('hex').slice(0, 32);
  return `${ref} ${size} ${new Date(Number(modifiedNanoseconds / 1_000_000n)).toISOString()}`;
}

export function readSiteKey(stateFolder: string): Buffer {
  return readFileSync(path.join(stateFolder, 'site.key'));
}

/** To be called when the agent has ended: reads its ledger. */
export function compare(
  { due, replaced }: Written,
  messages: readonly Message[],
  stateFolder: string,
): Findings {
  const rows = readLedger(stateFolder);
  const received = new Set(messages.map(({ id }) => id));
  const recorded = new Set(rows.map(({ id }) => id));
  const place = (name: string, size: number | bigint, modified: bigint) => `${size} ${modified} ${name}`;
  const rowAt = new Map(rows.map((row) => [place(row.name, row.size, row.modified), row]));

  const lost = due.flatMap(({ name, size, modifiedNanoseconds, sha256 }) => {
    const row = rowAt.get(place(name, size, modifiedNanoseconds));
    if (row === undefined) return [`${name}: no record`];
    if (row.sha256 !== null && row.sha256 !== sha256) return [`${name}: the record is of another content`];
    return received.has(row.id) ? [] : [`${name}: seq ${row.seq} was never received`];
  });

  const versions = [...due, ...replaced];
  const complete = new Set(versions.map((v) => place(v.name, v.size, v.modifiedNanoseconds)));
  const siteKey = readSiteKey(stateFolder);
  const byKey = Map.groupBy(messages, keyOfMessage);
  const severalIds = versions.filter((version) => {
    const about = byKey.get(keyOfVersion(siteKey, version)) ?? [];
    return new Set(about.map(({ id }) => id)).size > 1;
  });
  const contents = Map.groupBy(
    rows.filter(({ sha256 }) => sha256 !== null),
    ({ name, sha256 }) => `${name}: ${sha256}`,
  );

  return {
    lost,
    duplicated: [
      ...severalIds.map(({ name }) => `${name}: several ids at the subscriber`),
      ...[...contents].filter(([, same]) => same.length > 1).map(([what]) => `${what} is recorded twice`),
    ],
    unacknowledged: rows.filter((r) => r.acknowledged === null).map((r) => `${r.name}: seq ${r.seq}`),
    unrecorded: [...received].filter((id) => !recorded.has(id)),
    early: rows
      .filter((row) => !complete.has(place(row.name, row.size, row.modified)))
      .map((row) => `${row.name}: ${row.size} bytes, ${row.reason}`),
    records: rows.length,
    received: received.size,
    repeated: messages.length - received.size,
    givenUp: messages.filter(({ reason }) => reason === 'scorer-crashed').length,
  };
}

function readLedger(stateFolder: string): LedgerRow[] {
  const database = new DatabaseSync(path.join(stateFolder, 'ledger.sqlite'), { readOnly: true });
  try {
    const rows = database.prepare(
      `SELECT seq, id, reason, name, size, modified_ns AS modified, verdicts.sha256, acknowledged_ms AS acknowledged
       FROM verdicts JOIN captures USING (capture)`,
    );
    rows.setReadBigInts(true);
    return rows.all() as unknown as LedgerRow[];
  } finally {
    database.close();
  }
}
