/** Watches the settings file while the agent runs. The threshold applies live; everything else needs a restart. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { AgentSettings, SettingKey } from '../../config/agent.ts';
import { readSettings, type SettingSources } from '../../config/settings.ts';
import type { Reported } from '../../config/topics.ts';
import type { Thresholds } from './thresholds.ts';

export interface SettingsFileOptions {
  /** As at the start: environment and arguments go on overriding the file. */
  readonly sources: SettingSources & { readonly file: string };
  /** As resolved at the start. */
  readonly settings: AgentSettings;
  readonly thresholds: Thresholds;
  readonly onReported: (reported: Reported) => void;
  readonly log: Logger;
}

/** The file must read the same twice, so far apart, before it is believed: editors write in pieces. Milliseconds. */
const SETTLE = 200;
/** The file is read so often even without an event (network shares have none, links move), milliseconds. */
const POLL = 5000;

/** Watches the folder, since editors replace a file by renaming another onto it. `close` ends it. */
export function watchSettingsFile(options: SettingsFileOptions): { close(): void } {
  const { sources, log } = options;
  let applied = options.settings;
  let believed = read(sources.file);
  let candidate = believed;
  let timer: NodeJS.Timeout | undefined;

  const look = () => {
    timer = undefined;
    const content = read(sources.file);
    if (content === believed || content === null) {
      candidate = believed; // while an editor replaces it, the file may be missing for a moment
    } else if (content === candidate) {
      believed = content;
      applied = takeOver(options, applied);
    } else {
      candidate = content;
      timer = setTimeout(look, SETTLE);
    }
  };
  const soon = () => {
    timer ??= setTimeout(look, SETTLE);
  };

  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(sources.file), soon);
    watcher.on('error', (error) => log.warn({ err: error }, 'no events for the settings file; it is polled'));
  } catch (error) {
    log.warn({ err: error }, 'no events for the settings file; it is polled');
  }
  const poll = setInterval(soon, POLL);
  return {
    close() {
      watcher?.close();
      clearInterval(poll);
      clearTimeout(timer);
    },
  };
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Reads the changed file; returns the settings that hold from now on. */
function takeOver(
  { sources, settings: started, thresholds, onReported, log }: SettingsFileOptions,
  before: AgentSettings,
): AgentSettings {
  let settings: AgentSettings;
  try {
    settings = readSettings(sources);
  } catch (error) {
    const { message } = error as Error;
    // Messages about other settings may quote what has no place on a broker.
    const reason = message.startsWith('Setting threshold ')
      ? message
      : 'The settings file is not valid; the log of the agent says why. The settings before stay.';
    log.error({ reason: message }, 'the changed settings file is not valid; the settings before stay');
    onReported(thresholds.refuse('file', null, reason));
    return before;
  }
  const restart = differing(started, settings);
  if (restart.length > 0 && differing(before, settings).length > 0)
    log.warn({ settings: restart }, 'these settings take effect at the next start');
  const answer = thresholds.applySettings(settings.threshold);
  if (
    JSON.stringify(before.threshold) !== JSON.stringify(settings.threshold) ||
    answer.outcome !== 'unchanged'
  ) {
    log.info({ reported: answer }, 'threshold changed in the settings file');
    onReported(answer);
  }
  return settings;
}

/** Keys of the settings, other than the threshold, that differ. */
function differing(a: AgentSettings, b: AgentSettings): SettingKey[] {
  return (Object.keys(a) as SettingKey[]).filter(
    (key) => key !== 'threshold' && JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
}
