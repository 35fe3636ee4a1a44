/** The watched folder and the state folder must not lie within each other: the agent would judge its own files. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { AgentSettings } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';

/**
 * Compares where the folders really are, links resolved; what is not there yet counts as the place it would have.
 * @throws ConfigError naming both and the setting to change.
 */
export async function requireApart(settings: AgentSettings): Promise<void> {
  const { 'watch.path': watched, 'state.path': state } = settings;
  if (watched === '') return;
  const [watchedPlace, statePlace] = [await placeOf(watched), await placeOf(state)];
  const how = within(statePlace, watchedPlace)
    ? `The state folder ${state} lies within the watched folder ${watched}: the agent would judge its own ledger.`
    : within(watchedPlace, statePlace)
      ? `The watched folder ${watched} lies within the state folder ${state}, which is for the agent alone.`
      : null;
  if (how === null) return;
  throw new ConfigError(`${how} Set state.path (--state) to a folder outside of watch.path (--watch).`);
}

function within(inner: string, outer: string): boolean {
  const way = path.relative(outer, inner);
  return way === '' || (way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way));
}

async function placeOf(folder: string): Promise<string> {
  const whole = path.resolve(folder);
  try {
    return await realpath(whole);
  } catch {
    const parent = path.dirname(whole);
    return parent === whole ? whole : path.join(await placeOf(parent), path.basename(whole));
  }
}
