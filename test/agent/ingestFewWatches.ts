/** Run where the system has few inotify watches: prints what the ingest hands over, as JSON. Argument: the folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encode, smoothPixels } from '../support/images.ts';
import { collect } from './ingestCollector.ts';

const folder = process.argv[2]!;
for (let i = 0; i < 8; i++) await mkdir(path.join(folder, `${i}`));
const cleanups: (() => unknown)[] = [];
const ingest = await collect({ after: (task) => void cleanups.push(task as () => unknown) }, folder, {
  sweepMilliseconds: 200,
});
await ingest.swept;
const jpeg = await encode(smoothPixels(32, 1), 32);
for (let i = 0; i < 8; i++) await writeFile(path.join(folder, `${i}/a.jpg`), jpeg);
await ingest.until(({ captures }) => captures.length === 8);
console.log(JSON.stringify({ names: ingest.names(), conditions: ingest.conditions }));
for (const task of cleanups) await task();
