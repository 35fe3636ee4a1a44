/** A damaged ledger is set aside, and a new one takes over what can be read. What cannot is judged again. */
import { closeSync, existsSync, linkSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { FaultPoint } from '../faultPoints.ts';
import { migrate, pragma, SCHEMA_VERSION } from './schema.ts';
import { syncFile } from './sync.ts';
import { takeOver } from './takeOver.ts';
import { isDamage, transaction } from './transaction.ts';

/** How a ledger came to be made anew. Stands in the new one. */
export interface Rebuilt {
  readonly at: string;
  /** In SQLite's words. */
  readonly damage: string;
  /** Folder within the state folder that holds the damaged ledger, as it was. */
  readonly setAside: string;
  /** Verdicts that could be read. */
  readonly verdicts: number;
  /** Tables of which something could not be read. */
  readonly incomplete: readonly string[];
}

const SIDE_FILES = ['-wal', '-shm', '-journal'];

/**
 * Puts a new ledger in the place of the damaged one at `<folder>/<file>`. Killed at any point, the next start either
 * finds the damaged ledger as it was and does this once more, or finds the new one whole: see `finishRebuild`.
 * @param noted the highest number that was given, as it stands beside the ledger; 0: not known.
 * @throws what the file system or SQLite says, such as that there is no space left.
 */
export function rebuild(
  folder: string,
  file: string,
  damage: string,
  noted: number,
  faultPoint: FaultPoint,
): Rebuilt {
  const at = new Date().toISOString();
  const setAside = `damaged-${at.replaceAll(/[-:]/g, '')}`;
  mkdirSync(join(folder, setAside), { mode: 0o700 });
  // Linked, not moved: until the new one is whole, the damaged one stays where it is looked for.
  for (const side of ['', '-wal'])
    if (existsSync(join(folder, file + side)))
      linkSync(join(folder, file + side), join(folder, setAside, file + side));
  syncFile(join(folder, setAside));
  syncFile(folder);
  faultPoint('set-aside');

  const building = join(folder, `${file}.building`);
  for (const side of ['', ...SIDE_FILES]) rmSync(building + side, { force: true });
  closeSync(openSync(building, 'wx', 0o600));
  const database = new DatabaseSync(building);
  let rebuilt: Rebuilt;
  try {
    const connection = { database, faultPoint };
    migrate(connection, building);
    rebuilt = transaction(connection, 'take-over', () => {
      const taken = readable(join(folder, setAside, file), (source) => takeOver(source, database, noted));
      const told: Rebuilt = { at, damage, setAside, ...taken };
      database
        .prepare('INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)')
        .run('rebuilt', JSON.stringify(told));
      return told;
    });
  } finally {
    database.close();
  }
  syncFile(building);
  renameSync(building, wholeOf(folder, file));
  syncFile(folder);
  faultPoint('taken-over');
  finishRebuild(folder, file);
  return rebuilt;
}

/**
 * Moves a new ledger that is whole into its place. Its predecessor's log goes before: SQLite would write that one into it.
 * @returns whether there was one, left by a process that died here.
 */
export function finishRebuild(folder: string, file: string): boolean {
  const whole = wholeOf(folder, file);
  if (!existsSync(whole)) return false;
  for (const side of SIDE_FILES) rmSync(join(folder, file + side), { force: true });
  syncFile(folder);
  renameSync(whole, join(folder, file));
  syncFile(folder);
  return true;
}

/** What happened, in words without file names of captures. */
export function rebuiltMessage({ damage, setAside, verdicts, incomplete }: Rebuilt): string {
  const lost = incomplete.length === 0 ? 'nothing is missing' : `incomplete: ${incomplete.join(', ')}`;
  const thresholds = incomplete.includes('thresholds')
    ? ' The threshold in force may be an earlier one: see config/reported.'
    : '';
  return `The ledger was damaged (${damage}). It lies in ${setAside} within the state folder; the new one holds ${verdicts} of its verdicts (${lost}). Captures without one are judged again.${thresholds} Check the disk.`;
}

/** As `rebuiltMessage`, of a ledger that is sound and lacks verdicts. */
export function missingMessage({ first, last }: { readonly first: number; readonly last: number }): string {
  return `The ledger ${first === 1 ? 'is empty' : `ends at verdict ${first - 1}`}, but numbers up to ${last} were given: it was deleted, emptied, or restored from an older copy. Numbers go on at ${last + 1}, and captures without a verdict in it are judged again. If the ledger is elsewhere, stop the agent and put it back.`;
}

function wholeOf(folder: string, file: string): string {
  return join(folder, `${file}.rebuilt`);
}

/** `read` on the damaged ledger; on none when it cannot even be opened, or is of another schema version. */
function readable<T>(path: string, read: (source: DatabaseSync | null) => T): T {
  let source: DatabaseSync | null = null;
  try {
    source = new DatabaseSync(path, { readOnly: true });
    if (pragma(source, 'user_version') === SCHEMA_VERSION) return read(source);
  } catch (error) {
    if (!isDamage(error)) throw error;
  } finally {
    source?.close();
  }
  return read(null);
}
