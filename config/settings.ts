/** Reads the agent's settings: file, then environment, then arguments, each overriding the one before. */
import { readFileSync } from 'node:fs';
import convict from 'convict';
import { parse } from 'yaml';
import { type AgentSettings, SETTINGS, type Setting, type SettingKey } from './agent.ts';
import { ConfigError } from './errors.ts';
import { issueInWords } from './issues.ts';
import { nearest } from './nearest.ts';

export interface SettingSources {
  /** Settings file, JSON or YAML. */
  readonly file?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Values by setting key, as given on the command line. */
  readonly arguments?: Readonly<Partial<Record<SettingKey, string>>>;
}

const keys = Object.keys(SETTINGS) as SettingKey[];

/**
 * Settings resolved from all sources, validated.
 * @throws ConfigError naming the key, what was expected and what came; unknown keys with the nearest known one.
 */
export function readSettings(sources: SettingSources): AgentSettings {
  const fileValues = sources.file === undefined ? {} : readFile(sources.file);
  refuseUnknown(fileValues, sources.file ?? '');
  const config = convict(convictSchema(), {
    env: { ...sources.environment } as NodeJS.ProcessEnv,
    args: Object.entries(sources.arguments ?? {}).flatMap(([key, value]) => {
      const argument = SETTINGS[key as SettingKey].argument;
      if (argument === null)
        throw new ConfigError(
          `${key} is a secret: give it in the settings file or as ${SETTINGS[key as SettingKey].environment}.`,
        );
      return [`--${argument}=${value}`];
    }),
  });
  config.load(fileValues);
  const resolved: Record<string, unknown> = {};
  for (const key of keys) resolved[key] = validated(key, config.get(key));
  return Object.freeze(resolved) as AgentSettings;
}

function validated(key: SettingKey, value: unknown): unknown {
  const setting: Setting = SETTINGS[key];
  let problem: string;
  try {
    const result = setting.schema.safeParse(value);
    if (result.success) return result.data;
    problem = result.error.issues.map((issue) => issueInWords(issue, value)).join('; ');
  } catch (error) {
    problem = (error as Error).message;
  }
  const shown = setting.argument === null ? 'a secret value' : withoutUserInfo(JSON.stringify(value));
  throw new ConfigError(
    `Setting ${key} is ${shown}: ${problem}. ${setting.doc} (argument ${setting.argument === null ? 'none' : `--${setting.argument}`}, environment ${setting.environment})`,
  );
}

/** A URL may carry user name and password. */
function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^/]*@/g, '//***@');
}

/** The settings as convict wants them: nested by the dots of their keys. */
function convictSchema(): convict.Schema<Record<string, unknown>> {
  const root: Record<string, unknown> = {};
  for (const key of keys) {
    const setting: Setting = SETTINGS[key];
    const parts = key.split('.');
    let node = root;
    for (const part of parts.slice(0, -1)) {
      node[part] ??= {};
      node = node[part] as Record<string, unknown>;
    }
    node[parts.at(-1)!] = {
      doc: setting.doc,
      default: setting.default,
      format: '*',
      env: setting.environment,
      sensitive: setting.argument === null,
      ...(setting.argument === null ? {} : { arg: setting.argument }),
    };
  }
  return root as convict.Schema<Record<string, unknown>>;
}

function readFile(path: string): Record<string, unknown> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const problem =
      code === 'ENOENT'
        ? 'is missing. Check the path given by --config'
        : code === 'EISDIR'
          ? 'is a folder. Name the file within it'
          : `cannot be read (${code}). Check its permissions`;
    throw new ConfigError(`Settings file ${path} ${problem}.`, { cause });
  }
  let values: unknown;
  try {
    values = parse(content); // YAML 1.2 is a superset of JSON
  } catch (cause) {
    // The first line only, and no cause: the rest quotes the file, where a password may stand.
    const [said] = (cause as Error).message.split('\n');
    throw new ConfigError(`Settings file ${path} is neither JSON nor YAML: ${said?.replace(/:$/, '')}.`);
  }
  if (values === null) return {};
  if (typeof values !== 'object' || Array.isArray(values))
    throw new ConfigError(`Settings file ${path} must hold keys and values, such as "bundle: model.onnx".`);
  return values as Record<string, unknown>;
}

function refuseUnknown(values: Record<string, unknown>, file: string, prefix = ''): void {
  for (const [name, value] of Object.entries(values)) {
    const key = prefix + name;
    if (Object.hasOwn(SETTINGS, key) && !name.includes('.')) continue;
    const within = keys.filter((k) => k.startsWith(`${key}.`));
    if (within.length > 0 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      refuseUnknown(value as Record<string, unknown>, file, `${key}.`);
      continue;
    }
    throw new ConfigError(`In ${file}: ${unknownSetting(key, within)} All settings: docs/settings.md.`);
  }
}

/** @param within the settings that have `key` as their group. */
function unknownSetting(key: string, within: readonly string[]): string {
  const nested = (k: string) => {
    const [group, ...rest] = k.split('.');
    return `${group}: { ${rest.join('.')}: ... }`;
  };
  if (within.length > 0)
    return `${key} is a group of settings (${within.map((k) => k.slice(key.length + 1)).join(', ')}): write ${nested(within[0]!)}.`;
  if (Object.hasOwn(SETTINGS, key)) return `Setting ${key} belongs within its group: write ${nested(key)}.`;
  const groups = keys.flatMap((k) => (k.includes('.') ? [k.slice(0, k.indexOf('.'))] : []));
  const near = nearest(key, [...groups, ...keys]);
  return `Unknown setting ${key}.${near === undefined ? '' : ` Did you mean ${near}?`}`;
}
