/** `agent check`: would it run? Settings, folders, bundle, broker; a line each, nothing is started or changed. */
import { access, constants, opendir } from 'node:fs/promises';
import type { AgentSettings } from '../config/agent.ts';
import { makeFolder } from '../config/folder.ts';
import { requireApart } from './apart.ts';
import { tryBroker } from './deliver/broker.ts';
import { freeBytes, shortageOf } from './disk.ts';
import { missingMessage } from './ingest/conditions.ts';
import { proveGolden } from './inspect/golden.ts';
import { loadInspector } from './inspect/inspect.ts';

export interface CheckLine {
  readonly what: string;
  readonly ok: boolean;
  /** What was found, or what is wrong and what to do. */
  readonly said: string;
}

/**
 * Runs all checks, one after the other; a failing one does not stop the next.
 * @throws ConfigError when the settings contradict each other: nothing else is looked at then.
 */
export async function* check(settings: AgentSettings): AsyncGenerator<CheckLine> {
  await requireApart(settings);
  yield { what: 'settings', ok: true, said: `site ${settings.site}, device ${settings.device}` };
  for (const [what, one] of [
    ['watch', watchFolder],
    ['state', stateFolder],
    ['bundle', bundle],
    ['broker', tryBroker],
  ] as const) {
    try {
      yield { what, ok: true, said: await one(settings) };
    } catch (error) {
      yield { what, ok: false, said: (error as Error).message };
    }
  }
}

async function watchFolder(settings: AgentSettings): Promise<string> {
  const folder = settings['watch.path'];
  if (folder === '') throw new Error('no folder to watch: set watch.path (--watch).');
  let count = 0;
  try {
    for await (const _ of await opendir(folder)) count += 1;
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new Error(`${folder}: ${missingMessage(code)} To watch another folder, set watch.path (--watch).`, {
      cause,
    });
  }
  return `${folder} is readable, ${count} entries`;
}

async function stateFolder(settings: AgentSettings): Promise<string> {
  const folder = settings['state.path'];
  try {
    await makeFolder(folder, 0o700);
    await access(folder, constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(
      `${folder} cannot be made or written (${code}). Check its permissions, or set state.path (--state).`,
      { cause },
    );
  }
  const free = await freeBytes(folder);
  const shortage = shortageOf(free, settings['limits.disk']);
  if (shortage !== null) throw new Error(`${folder}: ${shortage}`);
  return `${folder} is writable, ${Math.floor(free / 2 ** 20)} MiB free`;
}

async function bundle(settings: AgentSettings): Promise<string> {
  if (settings.bundle === '') throw new Error('no bundle: set bundle (--bundle).');
  const executionProvider = settings['scorer.executionProvider'];
  const inspector = await loadInspector({
    bundlePath: settings.bundle,
    executionProvider,
    threads: settings['scorer.threads'],
    limits: { pixels: settings['limits.pixels'], bytes: settings['limits.bytes'] },
  });
  const difference = await proveGolden(inspector.bundle, inspector.scorer);
  await inspector.close();
  const { name, version, digest, golden } = inspector.bundle.manifest;
  return `${name} ${version} (${digest.slice(0, 19)}…) gives its ${golden.samples.length} golden scores on ${executionProvider} to ${difference.toExponential(1)}`;
}
