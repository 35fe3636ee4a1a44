/**
 * The agent's commands: what each takes, does, prints, and ends with. What a command runs is loaded when it is called:
 * `run` would otherwise begin with the decoder and onnxruntime, which only its scoring processes need.
 */
import { styleText } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import { SETTINGS } from '../config/agent.ts';
import { ConfigError } from '../config/errors.ts';
import { readSettings } from '../config/settings.ts';
import { existingSiteKey, imageRef } from './deliver/identity.ts';
import { StateFolderError } from './deliver/lock.ts';
import { LedgerError } from './deliver/transaction.ts';
import { type FaultPoint, noFault } from './faultPoints.ts';
import { BundleError } from './inspect/bundleError.ts';
import { addAgain } from './ledger/againCommands.ts';
import { addLedger } from './ledger/commands.ts';
import packageJson from './package.json' with { type: 'json' };
import { addRecalibrate } from './recalibrateCommand.ts';
import type { ScoreLine } from './score.ts';
import { sourcesOf, withSettings } from './settingsOptions.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, unscorable: 3, unsent: 4 } as const;

/** What a command may use of the process. */
export interface CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onTerminal: boolean;
  print(line: string): void;
  printError(text: string): void;
  /** Where a test ends the process; absent in the agent itself. */
  readonly faultPoint?: FaultPoint;
  /** From now on a signal does not end the process but aborts this one. */
  takeSignals(): AbortSignal;
  /** Takes variables out of the environment that child processes inherit. */
  dropSecrets(names: readonly string[]): void;
}

const limits = { pixels: SETTINGS['limits.pixels'].default, bytes: SETTINGS['limits.bytes'].default };

/** Runs the command in `args`; resolves with the exit code. What went wrong has been printed by then. */
export async function runCommand(args: readonly string[], context: CommandContext): Promise<number> {
  let exitCode: number = EXIT.ok;
  const end = (code: number) => {
    exitCode = code;
  };
  const program = new Command('agent')
    .description('Watches a capture folder, scores each image and publishes verdicts over MQTT.')
    .version(packageJson.version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  addRun(program, context, end);
  addScore(program, context, end);
  addInspect(program, context);
  addCheck(program, context, end);
  addLedger(program, context, end);
  addAgain(program, context);
  addRecalibrate(program, context);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error, context);
  }
}

function addRun(program: Command, context: CommandContext, end: (code: number) => void): void {
  withSettings(program.command('run').option('--once', 'handle what is there, then end'))
    .description('watch a folder, score every capture, publish verdicts until stopped')
    .addHelpText(
      'after',
      `
Exit code: 0 stopped, or with --once everything handled and delivered; 1 failed, with --once also when captures had to
wait (too little disk space, no folder); 2 wrong usage; 4 with --once: all handled, but verdicts wait on disk for the
broker, until the next start.

Examples:
  agent run --bundle run/bundle.onnx --watch /captures --state /var/lib/plumbline
  agent run --config agent.yaml --broker mqtt://broker.example:1883
  agent run --config agent.yaml --once

Every setting, with its environment variable: docs/settings.md.`,
    )
    .action(async (options: Record<string, string | boolean>) => {
      const sources = sourcesOf(options, context.environment);
      const settings = readSettings(sources);
      // Child processes decode files from outside: they inherit no secret.
      context.dropSecrets(
        Object.values(SETTINGS).flatMap(({ argument, environment }) =>
          argument === null ? [environment] : [],
        ),
      );
      const { run } = await import('./run.ts');
      const { obstacle, unsent } = await run(settings, {
        sources,
        once: options.once === true,
        stop: context.takeSignals(),
        notifySocket: context.environment.NOTIFY_SOCKET,
        watchdogMicroseconds: context.environment.WATCHDOG_USEC,
        faultPoint: context.faultPoint ?? noFault,
        pretty: context.onTerminal,
      });
      if (options.once !== true) return;
      if (unsent > 0) {
        const waiting = unsent === 1 ? '1 verdict waits' : `${unsent} verdicts wait`;
        context.printError(`${waiting} on disk for the broker until the next start.\n`);
        end(EXIT.unsent);
      }
      if (obstacle !== null) {
        context.printError(`${styleText('red', 'error:')} not everything was handled. ${obstacle}\n`);
        end(EXIT.failed);
      }
    });
}

function addScore(program: Command, context: CommandContext, end: (code: number) => void): void {
  program
    .command('score <bundle> <paths...>')
    .description('score files, or all files within folders, and print the verdicts')
    .option('--json', 'one JSON line per image, or frame of a DICOM file')
    .option(
      '--map <folder>',
      'write a PNG per image: what the graph saw, and where it departs from good images',
    )
    .option('--state <folder>', 'take the site key of this agent, so that refs equal those of its verdicts')
    .addOption(executionProvider())
    .addHelpText(
      'after',
      `
Exit code: 0 all were scored, 3 some were unscorable, 2 wrong usage (a path that is not there), 1 the bundle was refused.

Examples:
  agent score run/bundle.onnx photo.jpg
  agent score run/bundle.onnx captures/ --json | jq 'select(.verdict == "review")'
  agent score run/bundle.onnx captures/ --map maps/`,
    )
    .action(async (bundlePath: string, paths: string[], options) => {
      const { loadInspector } = await import('./inspect/inspect.ts');
      const { scorePaths } = await import('./score.ts');
      const inspector = await loadInspector({
        bundlePath,
        executionProvider: options.executionProvider,
        threads: 1,
        limits,
      });
      const key = options.state === undefined ? Buffer.alloc(32) : existingSiteKey(options.state);
      try {
        for await (const line of scorePaths(inspector, paths, {
          mostFrames: SETTINGS['limits.frames'].default,
          refOf: (name) => imageRef(key, name),
          ...(options.map === undefined ? {} : { mapFolder: options.map as string }),
        })) {
          if (line.verdict === 'unscorable') end(EXIT.unscorable);
          context.print(options.json ? JSON.stringify(line) : sentence(line));
        }
      } finally {
        await inspector.close();
      }
    });
}

function addInspect(program: Command, context: CommandContext): void {
  program
    .command('inspect <bundle>')
    .description('what a bundle is, how it was made, and whether it proves itself on this machine')
    .option('--json', 'the whole manifest as JSON')
    .addOption(executionProvider())
    .addHelpText('after', '\nExample:\n  agent inspect run/bundle.onnx')
    .action(async (bundlePath: string, options) => {
      const { json = false, executionProvider } = options;
      const { describeBundle } = await import('./describe.ts');
      context.print(await describeBundle(bundlePath, { json, executionProvider }));
    });
}

function addCheck(program: Command, context: CommandContext, end: (code: number) => void): void {
  withSettings(program.command('check'))
    .description('settings, folders, bundle, broker: one line each, without starting anything')
    .addHelpText(
      'after',
      `
Exit code: 0 all well, 1 a check failed, 2 the settings are wrong.

Example:
  agent check --config agent.yaml`,
    )
    .action(async (options: Record<string, string>) => {
      const { check } = await import('./check.ts');
      for await (const line of check(readSettings(sourcesOf(options, context.environment)))) {
        if (!line.ok) end(EXIT.failed);
        const word = line.ok ? styleText('green', 'ok    ') : styleText('red', 'failed');
        context.print(`${word} ${line.what}: ${line.said}`);
      }
    });
}

function executionProvider(): Option {
  return new Option('--execution-provider <name>', 'where onnxruntime runs the graph')
    .choices(['cpu', 'cuda'])
    .default('cpu');
}

/** Prints what went wrong, unless commander has done so, and gives the exit code. */
function exitCodeOf(thrown: unknown, context: CommandContext): number {
  // What failed first, where closing failed as well.
  const error = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const expected = [ConfigError, BundleError, StateFolderError, LedgerError].some(
    (kind) => error instanceof kind,
  );
  const { message, stack } = error as Error;
  context.printError(`${styleText('red', 'error:')} ${expected ? message : (stack ?? message)}\n`);
  return error instanceof ConfigError ? EXIT.usage : EXIT.failed;
}

function sentence(line: ScoreLine): string {
  const colour = { pass: 'green', review: 'yellow', unscorable: 'red' } as const;
  const word = styleText(colour[line.verdict], line.verdict.padEnd(10));
  const why =
    line.score === null
      ? line.message
      : `score ${line.score.toPrecision(4)} (threshold ${line.threshold.toPrecision(4)}), ${rarity(line.p ?? 1)}`;
  const evidence = (line.evidence ?? []).map((one) => `\n           - ${one.sentence}`).join('');
  const nowhere =
    line.verdict === 'review' && line.mapAlarm === false
      ? '\n           - the map shows no single place: the image departs as a whole'
      : '';
  const frame = line.frame === undefined ? '' : ` frame ${line.frame}`;
  return `${word} ${line.path}${frame}  ${why}${line.map === undefined ? '' : `  -> ${line.map}`}${evidence}${nowhere}`;
}

function rarity(p: number): string {
  return p >= 0.5
    ? 'usual among good images'
    : `at most 1 in ${Math.max(2, Math.round(1 / p))} good images looks this odd`;
}
