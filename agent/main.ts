/** The agent's command line. Only here: environment, arguments, signals, exit codes. */
import { styleText } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import { SETTINGS, type Setting, type SettingKey } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import { readSettings, type SettingSources } from '../config/settings.ts';
import { check } from './check.ts';
import { imageRef, siteKey } from './deliver/identity.ts';
import { StateFolderError } from './deliver/lock.ts';
import { LedgerError } from './deliver/transaction.ts';
import { describeBundle } from './describe.ts';
import { BundleError } from './inspect/bundle.ts';
import { loadInspector } from './inspect/inspect.ts';
import { run } from './run.ts';
import { type ScoreLine, scorePaths } from './score.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, unscorable: 3 } as const;

const limits = { pixels: SETTINGS['limits.pixels'].default, bytes: SETTINGS['limits.bytes'].default };
const provider = new Option('--execution-provider <name>', 'where onnxruntime runs the graph')
  .choices(['cpu', 'cuda'])
  .default('cpu');

const program = new Command('agent')
  .description('Watches a capture folder, scores each image and publishes verdicts over MQTT.')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

withSettings(program.command('run'))
  .description('watch a folder, score every capture, publish verdicts until stopped')
  .option('--once', 'handle what is there, then end')
  .addHelpText(
    'after',
    `
Examples:
  agent run --bundle run/bundle.onnx --watch /captures --state /var/lib/plumbline
  agent run --config agent.yaml --broker mqtt://broker.example:1883
  agent run --config agent.yaml --once

Every setting, with its environment variable: docs/settings.md.`,
  )
  .action(async (options: Record<string, string | boolean>) => {
    const sources = sourcesOf(options);
    const settings = readSettings(sources);
    // Child processes decode files from outside: they inherit no secret.
    for (const { argument, environment } of Object.values(SETTINGS))
      if (argument === null) delete process.env[environment];
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    stopWhenLauncherEnds(stop);
    await run(settings, {
      sources,
      once: options.once === true,
      stop: stop.signal,
      notifySocket: process.env.NOTIFY_SOCKET,
      watchdogMicroseconds: process.env.WATCHDOG_USEC,
      pretty: process.stdout.isTTY,
    });
  });

program
  .command('score <bundle> <paths...>')
  .description('score files, or all files within folders, and print the verdicts')
  .option('--json', 'one JSON line per image')
  .option(
    '--map <folder>',
    'write a PNG per image: what the graph saw, and where it departs from good images',
  )
  .option('--state <folder>', 'take the site key of this agent, so that refs equal those of its verdicts')
  .addOption(provider)
  .addHelpText(
    'after',
    `
Exit code: 0 all were scored, 3 some were unscorable, 2 wrong usage, 1 the bundle was refused.

Examples:
  agent score run/bundle.onnx photo.jpg
  agent score run/bundle.onnx captures/ --json | jq 'select(.verdict == "review")'
  agent score run/bundle.onnx captures/ --map maps/`,
  )
  .action(async (bundlePath: string, paths: string[], options) => {
    const inspector = await loadInspector({
      bundlePath,
      executionProvider: options.executionProvider,
      threads: 1,
      limits,
    });
    const key = options.state === undefined ? Buffer.alloc(32) : siteKey(options.state);
    let unscorable = 0;
    try {
      for await (const line of scorePaths(inspector, paths, {
        refOf: (name) => imageRef(key, name),
        ...(options.map === undefined ? {} : { mapFolder: options.map as string }),
      })) {
        if (line.verdict === 'unscorable') unscorable += 1;
        print(options.json ? JSON.stringify(line) : sentence(line));
      }
    } finally {
      await inspector.close();
    }
    if (unscorable > 0) process.exitCode = EXIT.unscorable;
  });

program
  .command('inspect <bundle>')
  .description('what a bundle is, how it was made, and whether it proves itself on this machine')
  .option('--json', 'the whole manifest as JSON')
  .addOption(provider)
  .addHelpText('after', '\nExample:\n  agent inspect run/bundle.onnx')
  .action(async (bundlePath: string, options) => {
    print(
      await describeBundle(bundlePath, {
        json: options.json === true,
        executionProvider: options.executionProvider,
      }),
    );
  });

withSettings(program.command('check'))
  .description('settings, folders, bundle, broker: one line each, without starting anything')
  .addHelpText('after', '\nExample:\n  agent check --config agent.yaml')
  .action(async (options: Record<string, string>) => {
    let healthy = true;
    for await (const line of check(readSettings(sourcesOf(options)))) {
      healthy &&= line.ok;
      print(
        `${line.ok ? styleText('green', 'ok    ') : styleText('red', 'failed')} ${line.what}: ${line.said}`,
      );
    }
    if (!healthy) process.exitCode = EXIT.failed;
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Prints what went wrong, unless commander has done so, and gives the exit code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const expected = [ConfigError, BundleError, StateFolderError, LedgerError].some(
    (kind) => error instanceof kind,
  );
  const { message, stack } = error as Error;
  process.stderr.write(`${styleText('red', 'error:')} ${expected ? message : (stack ?? message)}\n`);
  return error instanceof ConfigError ? EXIT.usage : EXIT.failed;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function sentence(line: ScoreLine): string {
  const colour = { pass: 'green', review: 'yellow', unscorable: 'red' } as const;
  const word = styleText(colour[line.verdict], line.verdict.padEnd(10));
  const why =
    line.score === null
      ? line.message
      : `score ${line.score.toPrecision(4)} (threshold ${line.threshold.toPrecision(4)}), ${rarity(line.p ?? 1)}`;
  return `${word} ${line.path}  ${why}${line.map === undefined ? '' : `  -> ${line.map}`}`;
}

function rarity(p: number): string {
  return p >= 0.5
    ? 'usual among good images'
    : `at most 1 in ${Math.max(2, Math.round(1 / p))} good images looks this odd`;
}

/** Adds `--config` and an option for every setting. */
function withSettings(command: Command): Command {
  command.option('--config <file>', 'settings file, JSON or YAML');
  command.optionsGroup('Settings:');
  for (const setting of Object.values(SETTINGS) as Setting[]) {
    if (setting.argument === null) continue;
    const unit = setting.unit === undefined ? '' : ` [${setting.unit}]`;
    const option = new Option(`--${setting.argument} <value>`, `${setting.doc}${unit}`);
    command.addOption(option);
  }
  return command;
}

function sourcesOf(options: Record<string, string | boolean>): SettingSources {
  const given: Partial<Record<SettingKey, string>> = {};
  for (const [key, setting] of Object.entries(SETTINGS) as [SettingKey, Setting][]) {
    if (setting.argument === null) continue;
    const value = options[new Option(`--${setting.argument} <value>`).attributeName()];
    if (typeof value === 'string') given[key] = value;
  }
  return {
    environment: { ...process.env },
    arguments: given,
    ...(typeof options.config === 'string' ? { file: options.config } : {}),
  };
}

/**
 * Started through npx, the process that the caller knows and kills is npm's, not this one: end when it is gone.
 */
function stopWhenLauncherEnds(stop: AbortController): void {
  if (process.env.npm_command !== 'exec') return;
  const launcher = process.ppid;
  setInterval(() => {
    if (process.ppid !== launcher) stop.abort();
  }, 500).unref();
}
