/** The user's own settings for the Python package index, as pip finds them. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'ini';
import { EncoderError } from './error.ts';

export interface PipSettings {
  /** Indexes of the simple repository API, first the main one; empty with `--no-index`. */
  readonly indexes: readonly string[];
  /** Folders (or pages) with files lying ready. */
  readonly findLinks: readonly string[];
  /** File of certificates to trust besides those that Node.js trusts. */
  readonly certificates: string | undefined;
  /** `host` or `host:port` that may be asked without a valid certificate. */
  readonly trustedHosts: readonly string[];
}

/** What the composition root knows. */
export interface PipSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
}

const DEFAULT_INDEX = 'https://pypi.org/simple';

/**
 * Environment variables before configuration files, and files in pip's order: global, user, virtual environment,
 * PIP_CONFIG_FILE (pip user guide, "Configuration"); `/dev/null` there means no file at all.
 *
 * @throws EncoderError when a file that PIP_CONFIG_FILE names cannot be read.
 */
export async function readPipSettings({ environment, home }: PipSurroundings): Promise<PipSettings> {
  const values: Record<string, string> = {};
  for (const file of configurationFiles(environment, home)) Object.assign(values, await readOptions(file));
  const get = (option: string) =>
    environment[`PIP_${option.toUpperCase().replaceAll('-', '_')}`] ?? values[option] ?? '';
  const list = (option: string) =>
    get(option)
      .split(/\s+/)
      .filter((word) => word !== '');
  const none = /^(1|true|yes|on)$/i.test(get('no-index'));
  return {
    indexes: none ? [] : [get('index-url') || DEFAULT_INDEX, ...list('extra-index-url')],
    findLinks: list('find-links'),
    certificates: get('cert') || undefined,
    trustedHosts: list('trusted-host'),
  };
}

function configurationFiles(environment: PipSurroundings['environment'], home: string): string[] {
  const own = environment.PIP_CONFIG_FILE;
  if (own === '/dev/null') return [];
  if (own !== undefined && own !== '' && !existsSync(own))
    throw new EncoderError(`PIP_CONFIG_FILE names ${own}, which is not there. Correct or unset it.`);
  const global = (environment.XDG_CONFIG_DIRS || '/etc/xdg')
    .split(':')
    .map((folder) => join(folder, 'pip', 'pip.conf'));
  const user = [
    join(home, '.pip', 'pip.conf'),
    join(environment.XDG_CONFIG_HOME || join(home, '.config'), 'pip', 'pip.conf'),
  ];
  const site = environment.VIRTUAL_ENV ? [join(environment.VIRTUAL_ENV, 'pip.conf')] : [];
  const files = [...global.toReversed(), '/etc/pip.conf', ...user, ...site, ...(own ? [own] : [])];
  return files.filter((file) => existsSync(file));
}

/** Options of the sections [global] and, stronger, [download]. */
async function readOptions(file: string): Promise<Record<string, string>> {
  const sections = parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const options: Record<string, string> = {};
  for (const name of ['global', 'download'])
    for (const [option, value] of Object.entries((sections[name] ?? {}) as object))
      if (typeof value === 'string') options[option.replaceAll('_', '-')] = relativeTo(file, option, value);
  return options;
}

/** A relative certificate file is meant from the configuration file on. */
function relativeTo(file: string, option: string, value: string): string {
  return option === 'cert' && value !== '' && !value.startsWith('/') ? join(dirname(file), value) : value;
}
