/** Tables of the ledger, as a list of migrations: one entry per schema version, never edited once released. */
import type { DatabaseSync } from 'node:sqlite';
import { StateFolderError } from './lock.ts';
import { transaction } from './transaction.ts';

/** `PRAGMA application_id` of a ledger: "PLMB". */
const APPLICATION_ID = 0x504c4d42;

const MIGRATIONS: readonly string[] = [
  `
  -- seq: counts up by one per record; AUTOINCREMENT so that a number is never given twice, even after deletions.
  CREATE TABLE captures (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sha256 TEXT,
    UNIQUE (name, size, modified_ns, kind)
  ) STRICT;

  -- payload: the verdict as published, JSON. acknowledged_ms: null until the broker has taken it (scored -> published).
  CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY REFERENCES captures (seq),
    id TEXT NOT NULL UNIQUE,
    ref TEXT NOT NULL,
    word TEXT NOT NULL,
    payload TEXT NOT NULL,
    recorded_ms INTEGER NOT NULL,
    acknowledged_ms INTEGER
  ) STRICT;
  CREATE INDEX verdicts_by_ref ON verdicts (ref);

  -- A verdict stands here until it is acknowledged, or dropped for want of space (then a gap covers it).
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY REFERENCES verdicts (seq),
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE outbox_total (verdicts INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  INSERT INTO outbox_total VALUES (0, 0);
  CREATE TRIGGER outbox_added AFTER INSERT ON outbox BEGIN
    UPDATE outbox_total SET verdicts = verdicts + 1, bytes = bytes + new.bytes;
  END;
  CREATE TRIGGER outbox_removed AFTER DELETE ON outbox BEGIN
    UPDATE outbox_total SET verdicts = verdicts - 1, bytes = bytes - old.bytes;
  END;
  CREATE TABLE gaps (
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    verdicts INTEGER NOT NULL,
    dropped_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE tallies (word TEXT PRIMARY KEY, verdicts INTEGER NOT NULL) STRICT;

  CREATE TABLE thresholds (
    revision INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    upper REAL NOT NULL,
    lower REAL,
    source TEXT NOT NULL,
    bundle TEXT NOT NULL,
    applied_ms INTEGER NOT NULL
  ) STRICT;

  -- Desired settings that were answered: the same id with the same rule is a repeat.
  CREATE TABLE answers (
    id TEXT NOT NULL,
    rule TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    answered_ms INTEGER NOT NULL,
    PRIMARY KEY (id, rule)
  ) STRICT;

  CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `,
];

/**
 * Brings the database to the newest schema version.
 * @throws StateFolderError when the file is no ledger, or one of a newer agent.
 */
export function migrate(database: DatabaseSync, path: string): void {
  const version = pragma(database, 'user_version');
  const application = pragma(database, 'application_id');
  const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
  if (application !== APPLICATION_ID && !(application === 0 && version === 0 && tables.n === 0))
    throw new StateFolderError(
      `${path} is a SQLite file, but no ledger of this agent. Move it away, or choose another state.path.`,
    );
  if (version > MIGRATIONS.length)
    throw new StateFolderError(
      `${path} has schema version ${version}, this agent knows up to ${MIGRATIONS.length}: it was written by a newer agent. Install that one again, or choose another state.path.`,
    );
  for (let next = version; next < MIGRATIONS.length; next++)
    transaction(database, 'migrate the ledger', () => {
      database.exec(MIGRATIONS[next]!);
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${next + 1}`);
    });
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0);
}
