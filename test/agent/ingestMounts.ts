/** Run within a mount namespace of its own: mounts and unmounts the watched folder; prints what the ingest says, as JSON. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { encode, smoothPixels } from '../support/images.ts';
import { collect } from './ingestCollector.ts';

const folder = process.argv[2]!;
const jpeg = await encode(smoothPixels(32, 1), 32);
const mount = (name: string) => {
  execFileSync('mount', ['-t', 'tmpfs', 'none', folder]);
  writeFileSync(path.join(folder, name), jpeg);
};
const cleanups: (() => unknown)[] = [];
mount('a.jpg');
const ingest = await collect({ after: (task) => void cleanups.push(task as () => unknown) }, folder);
await ingest.until(({ captures }) => captures.length === 1);
execFileSync('umount', ['-l', folder]);
await ingest.until(({ conditions }) => conditions.length === 1);
writeFileSync(path.join(folder, 'beneath.jpg'), jpeg);
await ingest.until(({ captures }) => captures.length === 2);
mount('b.jpg');
await ingest.until(({ captures, conditions }) => captures.length === 3 && conditions.length === 2);
writeFileSync(path.join(folder, 'c.jpg'), jpeg);
await ingest.until(({ captures }) => captures.length === 4);
console.log(JSON.stringify({ names: ingest.names(), conditions: ingest.conditions }));
for (const task of cleanups) await task();
