/** Damages a ledger on disk as a failing disk does: pages and bytes of its file, none of which SQLite is told of. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const PAGE = 4096;

/** Numbers of the leaf pages of a table or index, in order of its keys; its tree has two levels. */
export function leavesOf(file: string, name: string): number[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name)!;
  database.close();
  const at = ((row.rootpage as number) - 1) * PAGE;
  const page = readFileSync(file).subarray(at, at + PAGE);
  // Interior pages: https://sqlite.org/fileformat2.html#b_tree_pages
  if (page[0] !== 5 && page[0] !== 2) throw new Error(`the tree of ${name} has one level; write more rows`);
  const cells = Array.from({ length: page.readUInt16BE(3) }, (_, i) => page.readUInt16BE(12 + 2 * i));
  return [...cells.map((cell) => page.readUInt32BE(cell)), page.readUInt32BE(8)];
}

/** Puts rubbish in the place of these pages. */
export function overwritePages(file: string, pages: readonly number[]): void {
  const descriptor = openSync(file, 'r+');
  for (const page of pages) writeSync(descriptor, Buffer.alloc(PAGE, 0xa5), 0, PAGE, (page - 1) * PAGE);
  closeSync(descriptor);
}

/** Overwrites the first byte of each place where `text` stands, in pages of this kind (10: leaf of an index, 13: of a table). */
export function overwriteText(file: string, text: string, kind: 10 | 13): number {
  const bytes = readFileSync(file);
  const descriptor = openSync(file, 'r+');
  let changed = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    if (bytes[at - (at % PAGE)] !== kind) continue;
    writeSync(descriptor, Buffer.from([bytes[at]! ^ 4]), 0, 1, at);
    changed++;
  }
  closeSync(descriptor);
  return changed;
}

/** Brings the log of an open ledger into its file. */
export function checkpoint(file: string): void {
  const other = new DatabaseSync(file);
  other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  other.close();
}

/** Commits from outside, after which whoever has the ledger open reads its pages anew. */
export function forgetPages(file: string): void {
  const other = new DatabaseSync(file, { timeout: 5000 });
  other.exec("INSERT INTO facts (key, value) VALUES ('somebody else', '1')");
  other.close();
}
