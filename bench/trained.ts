/** A bundle with the fundus network, for benchmarks that ask how fast or how safe, not how good. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { drawPhantom } from '../test/demo/phantoms.ts';

/** Trains one epoch on drawn phantoms within `folder`; the path of the bundle. */
export async function trainFundus(folder: string): Promise<string> {
  const good = path.join(folder, 'good');
  await mkdir(good);
  for (let seed = 0; seed < 60; seed++)
    await writeFile(path.join(good, `${seed}.jpg`), await drawPhantom(seed));
  const trainer = path.join(import.meta.dirname, '../node_modules/.bin/trainer');
  const run = path.join(folder, 'run');
  const child = spawn(trainer, ['fit', good, '--recipe', 'fundus', '--epochs', '1', '--out', run], {
    stdio: 'ignore',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`trainer fit ended with ${code}.`);
  return path.join(run, 'bundle.onnx');
}
