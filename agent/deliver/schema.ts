/** Tables of the ledger, as a list of migrations: one entry per schema version, never edited once released. */
import { closeSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { StateFolderError } from './lock.ts';
import { syncFile } from './sync.ts';
import { type Connection, transaction } from './transaction.ts';

/** `PRAGMA application_id` of a ledger: "PLMB". */
const APPLICATION_ID = 0x504c4d42;

export const MIGRATIONS: readonly string[] = [
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
  `
  -- One capture may now have several verdicts: it is judged again when somebody asks for that. Payloads get a table of
  -- their own, so that old ones can be removed and their pages used again.
  DROP INDEX verdicts_by_ref;
  DROP TRIGGER outbox_added;
  DROP TRIGGER outbox_removed;
  ALTER TABLE captures RENAME TO captures_1;
  ALTER TABLE verdicts RENAME TO verdicts_1;
  ALTER TABLE outbox RENAME TO outbox_1;
  ALTER TABLE gaps RENAME TO gaps_1;

  -- Never deleted: what stands here is not judged unasked.
  CREATE TABLE captures (
    capture INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sha256 TEXT,
    UNIQUE (name, size, modified_ns, kind)
  ) STRICT;
  INSERT INTO captures SELECT seq, name, size, modified_ns, kind, sha256 FROM captures_1;

  -- seq: counts up by one per verdict; AUTOINCREMENT so that a number is never given twice, even after deletions.
  -- acknowledged_ms: null until the broker has taken it (scored -> published).
  CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    capture INTEGER NOT NULL REFERENCES captures (capture),
    revision INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    ref TEXT NOT NULL,
    word TEXT NOT NULL,
    reason TEXT,
    score REAL,
    model TEXT NOT NULL,
    scored_at TEXT NOT NULL,
    recorded_ms INTEGER NOT NULL,
    acknowledged_ms INTEGER,
    UNIQUE (capture, revision)
  ) STRICT;
  INSERT INTO verdicts SELECT seq, seq, 1, id, ref, word, payload ->> '$.reason', payload ->> '$.score',
    payload ->> '$.model.digest', payload ->> '$.scoredAt', recorded_ms, acknowledged_ms FROM verdicts_1;
  CREATE INDEX verdicts_by_ref ON verdicts (ref);

  -- The verdict as published, JSON. Of old ones that were acknowledged it is removed: see retention.ts.
  CREATE TABLE payloads (seq INTEGER PRIMARY KEY REFERENCES verdicts (seq), payload TEXT NOT NULL) STRICT;
  INSERT INTO payloads SELECT seq, json_set(payload, '$.revision', 1, '$.supersedes', NULL) FROM verdicts_1;

  CREATE TABLE outbox (seq INTEGER PRIMARY KEY REFERENCES payloads (seq), bytes INTEGER NOT NULL) STRICT;
  INSERT INTO outbox SELECT seq, length(CAST(payload AS BLOB)) FROM outbox_1 JOIN payloads USING (seq);
  UPDATE outbox_total SET verdicts = (SELECT count(*) FROM outbox), bytes = (SELECT total(bytes) FROM outbox);
  CREATE TRIGGER outbox_added AFTER INSERT ON outbox BEGIN
    UPDATE outbox_total SET verdicts = verdicts + 1, bytes = bytes + new.bytes;
  END;
  CREATE TRIGGER outbox_removed AFTER DELETE ON outbox BEGIN
    UPDATE outbox_total SET verdicts = verdicts - 1, bytes = bytes - old.bytes;
  END;

  -- verdicts: null where nobody can tell. announced_ms: null until the broker has taken the announcement.
  CREATE TABLE gaps (
    gap INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    verdicts INTEGER,
    reason TEXT NOT NULL,
    dropped_ms INTEGER NOT NULL,
    announced_ms INTEGER
  ) STRICT;
  INSERT INTO gaps SELECT rowid, first, last, verdicts, 'outbox-bytes', dropped_ms, NULL FROM gaps_1;

  -- Captures that somebody wants judged again; the next verdict on one takes it out.
  CREATE TABLE again (
    capture INTEGER PRIMARY KEY REFERENCES captures (capture),
    cause TEXT NOT NULL,
    asked_ms INTEGER NOT NULL
  ) STRICT;

  DROP TABLE gaps_1;
  DROP TABLE outbox_1;
  DROP TABLE verdicts_1;
  DROP TABLE captures_1;
  `,
  `
  -- A capture may now be one frame of a file that holds several. Never deleted, as before.
  -- frame: from 1. frames: how many captures the file holds, as far as is known; beside its first one only.
  CREATE TABLE captures_3 (
    capture INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    frame INTEGER NOT NULL,
    frames INTEGER,
    sha256 TEXT,
    UNIQUE (name, size, modified_ns, kind, frame)
  ) STRICT;
  INSERT INTO captures_3 SELECT capture, name, size, modified_ns, kind, 1, 1, sha256 FROM captures;
  DROP TABLE captures;
  ALTER TABLE captures_3 RENAME TO captures;
  `,
  `
  -- stamp: inode of the file and its last change of any kind (ctime) as it was judged; null: not known.
  ALTER TABLE captures ADD COLUMN stamp TEXT;
  -- sha256: what this verdict is on; that of the capture is what it was found to hold last.
  ALTER TABLE verdicts ADD COLUMN sha256 TEXT;
  UPDATE verdicts SET sha256 = (SELECT sha256 FROM captures WHERE captures.capture = verdicts.capture);
  `,
];

/** Schema version that this agent writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the database to the newest schema version, one transaction per step; a copy of the ledger is made before.
 * @throws StateFolderError when the file is no ledger, or one of a newer agent; LedgerError when the disk fails.
 */
export function migrate(connection: Connection, path: string): void {
  const { database, faultPoint } = connection;
  const version = pragma(database, 'user_version');
  const application = pragma(database, 'application_id');
  const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
  if (application !== APPLICATION_ID && !(application === 0 && version === 0 && tables.n === 0))
    throw new StateFolderError(
      `${path} is a SQLite file, but no ledger of this agent. Move it away, or choose another state.path.`,
    );
  if (version > SCHEMA_VERSION)
    throw new StateFolderError(
      `${path} has schema version ${version}, this agent knows up to ${SCHEMA_VERSION}: it was written by a newer agent. Install that one again, or choose another state.path.`,
    );
  if (version > 0 && version < SCHEMA_VERSION) {
    backUp(database, `${path}.version-${version}`);
    faultPoint('backed-up');
  }
  // Else a table that others refer to could not be replaced: https://sqlite.org/lang_altertable.html#otheralter
  database.exec('PRAGMA foreign_keys = OFF');
  for (let next = version; next < SCHEMA_VERSION; next++)
    transaction(connection, 'migrate', () => {
      database.exec(MIGRATIONS[next]!);
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${next + 1}`);
    });
  database.exec('PRAGMA foreign_keys = ON');
}

/** A whole, consistent copy at `path`, on disk when it returns; one that is there is from an attempt before. */
function backUp(database: DatabaseSync, path: string): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  closeSync(openSync(temporary, 'wx', 0o600)); // SQLite takes an empty file, and its mode
  database.prepare('VACUUM INTO ?').run(temporary);
  syncFile(temporary);
  renameSync(temporary, path);
  syncFile(dirname(path));
}

export function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0);
}
