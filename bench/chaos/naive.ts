/**
 * The agent that one writes in an afternoon, as a peer: chokidar with `awaitWriteFinish`, the same decoder and graph,
 * mqtt.js with its own store, and a list of names that are done, so that a restart repeats nothing.
 * Arguments: bundle, watched folder, file of the list, URL of the broker.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { watch } from 'chokidar';
import mqtt from 'mqtt';
import { loadInspector } from '../../agent/inspect/inspect.ts';

export const NAIVE_TOPIC = 'plumbline/naive';

if (import.meta.main) await main(process.argv.slice(2));

async function main([bundlePath, folder, list, url]: string[]): Promise<void> {
  const limits = { pixels: 1e8, bytes: 2 ** 28 };
  const inspector = await loadInspector({
    bundlePath: bundlePath!,
    executionProvider: 'cpu',
    threads: 1,
    limits,
  });
  const done = new Set(existsSync(list!) ? readFileSync(list!, 'utf8').split('\n') : []);
  const client = mqtt.connect(url!, { protocolVersion: 5, clean: false, clientId: 'naive' });
  client.on('error', () => {}); // connects again by itself
  const judge = async (file: string) => {
    const bytes = await readFile(file);
    const inspection = await inspector.inspectBytes(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    client.publish(NAIVE_TOPIC, JSON.stringify({ sha256, outcome: inspection.outcome }), { qos: 1 });
  };
  const handle = (file: string) => {
    judge(file).then(
      () => appendFileSync(list!, `${file}\n`),
      (error: Error) => process.stderr.write(`${error.message}\n`),
    );
  };
  watch(folder!, { awaitWriteFinish: true })
    .on('add', (file) => {
      if (!done.has(file)) handle(file);
    })
    .on('change', handle)
    .on('ready', () => process.stdout.write('ready\n'));
}
