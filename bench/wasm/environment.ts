/** TensorFlow.js's WebAssembly backend, a peer that only the benchmarks need. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runCommand } from '../../trainer/backend/command.ts';
import { TFJS_VERSION } from '../../trainer/backend/pins.ts';
import { type BenchContext, MissingPrerequisite } from '../bench.ts';

const PACKAGE = '@tensorflow/tfjs-backend-wasm';

/**
 * Folder with a `node_modules` that holds the backend, installed by npm on first use. Its peer dependency
 * `@tensorflow/tfjs-core` is left out: the folder lies inside the repository, so Node goes on upwards and finds
 * the repository's own, the same instance that tfjs-layers uses.
 *
 * @throws MissingPrerequisite when npm cannot fetch it.
 */
export async function wasmEnvironment({ cache, report }: BenchContext): Promise<string> {
  const folder = join(cache, `wasm-${TFJS_VERSION}`);
  if (existsSync(folder)) return folder;
  report(`installing ${PACKAGE} ${TFJS_VERSION}\n`);
  await mkdir(cache, { recursive: true });
  const staging = await mkdtemp(join(cache, 'wasm-'));
  try {
    await writeFile(join(staging, 'package.json'), '{"private":true}\n');
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps'];
    await runCommand('npm', ['install', ...quiet, `${PACKAGE}@${TFJS_VERSION}`], { cwd: staging });
    await rename(staging, folder);
  } catch (cause) {
    await rm(staging, { recursive: true, force: true });
    throw new MissingPrerequisite(`It needs ${PACKAGE} from npm: ${(cause as Error).message}`, { cause });
  }
  return folder;
}

/** Loads the backend from that folder and registers it under the name `wasm`. */
export function loadWasm(folder: string): void {
  const wasm = createRequire(`${folder}/`)(PACKAGE) as { setWasmPaths(prefix: string): void };
  wasm.setWasmPaths(`${join(folder, 'node_modules', PACKAGE, 'dist')}/`);
}
