/** The settings as options of a command. */
import { type Command, Option } from 'commander';
import { type AgentSettings, SETTINGS, type Setting, type SettingKey } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import type { SettingSources } from '../config/settings.ts';

const ALL = Object.keys(SETTINGS) as SettingKey[];

/** Adds `--config` and an option for each of `keys` that is no secret. */
export function withSettings(command: Command, keys: readonly SettingKey[] = ALL): Command {
  command.option('--config <file>', 'settings file, JSON or YAML');
  command.optionsGroup('Settings:');
  for (const setting of keys.map((key): Setting => SETTINGS[key]))
    if (setting.argument !== null) command.addOption(optionOf(setting, setting.argument));
  return command;
}

/** Where the settings of a command come from: its options, the file that they name, the environment. */
export function sourcesOf(
  options: Readonly<Record<string, string | boolean>>,
  environment: SettingSources['environment'],
): SettingSources {
  const given: Partial<Record<SettingKey, string>> = {};
  for (const [key, setting] of Object.entries(SETTINGS) as [SettingKey, Setting][]) {
    if (setting.argument === null) continue;
    const value = options[optionOf(setting, setting.argument).attributeName()];
    if (typeof value === 'string') given[key] = value;
  }
  return {
    environment,
    arguments: given,
    ...(typeof options.config === 'string' ? { file: options.config } : {}),
  };
}

/** @throws ConfigError when one of the settings is empty. */
export function requireSettings(settings: AgentSettings, ...keys: ('bundle' | 'watch.path')[]): void {
  for (const key of keys)
    if (settings[key] === '')
      throw new ConfigError(
        `Setting ${key} is missing: give --${SETTINGS[key].argument}, or set it in the settings file.`,
      );
}

/** The default is told, not set: what is not given on the command line may stand in the file. */
function optionOf(setting: Setting, argument: string): Option {
  const { doc, unit, default: value } = setting;
  const shown = Array.isArray(value) ? value.join(',') : value;
  const notes = [
    ...(unit === undefined ? [] : [`[${unit}]`]),
    ...(shown === '' || shown === null ? [] : [`(default: ${shown})`]),
  ];
  return new Option(`--${argument} <value>`, [doc, ...notes].join(' '));
}
