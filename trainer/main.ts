/** The trainer's command line. Only here: environment, arguments, signals, exit codes. */
import { availableParallelism, homedir } from 'node:os';
import { styleText } from 'node:util';
import { Command, CommanderError } from 'commander';
import { BundleError } from '../agent/inspect/bundleError.ts';
import { ConfigError } from '../config/errors.ts';
import { addBackendCommands } from './backend/commands.ts';
import { BackendError } from './backend/error.ts';
import { cacheFolder } from './backend/find.ts';
import { addCompareCommand } from './compare/commands.ts';
import { addEncoderCommands } from './encoders/commands.ts';
import { EncoderError } from './encoders/error.ts';
import { InterruptedError, TrainerError } from './error.ts';
import { addEvaluateCommands } from './evaluation/commands.ts';
import { addFitCommand } from './fit-command.ts';
import manifest from './package.json' with { type: 'json' };
import { addRecalibrateCommand } from './recalibrate/command.ts';
import { addRecipesCommand } from './recipes-command.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // TensorFlow's C library: warnings and notes are for its developers

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupted);
for (const stream of [process.stdout, process.stderr]) stream.on('error', readerGone);

const program = new Command('trainer')
  .description('Learns from good images alone what a capture should look like, and writes one .onnx bundle.')
  .version(manifest.version)
  .exitOverride();

const run = {
  stop: stop.signal,
  command: ['trainer', ...process.argv.slice(2)].map(quoted).join(' '),
  versions: { trainer: manifest.version, node: process.version },
  output: process.stdout,
  errors: process.stderr,
};
const machine = {
  cache: cacheFolder(process.env, homedir()),
  environment: process.env,
  home: homedir(),
  print: (text: string) => void process.stdout.write(text),
  report: (text: string) => void process.stderr.write(text),
  signal: stop.signal,
};
addFitCommand(program, { ...run, ...machine, threads: availableParallelism() });
addEvaluateCommands(program, run);
addRecalibrateCommand(program, run);
addCompareCommand(program, run);
addRecipesCommand(program, machine.print);
addEncoderCommands(program, machine);
addBackendCommands(program, {
  ...machine,
  machine: { platform: process.platform, arch: process.arch },
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** First Ctrl-C: end orderly; second: at once. */
function interrupted(): void {
  if (stop.signal.aborted) process.exit(EXIT.interrupted);
  stop.abort();
  process.stderr.write('\nending after this batch; press Ctrl-C again to end at once\n');
}

/** `trainer ... | head -1`: who reads no more wants no more. */
function readerGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.ok);
}

/** Prints what went wrong, unless commander has done so, and gives the exit code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { message, stack } = error as Error;
  const expected = [ConfigError, TrainerError, BackendError, EncoderError, BundleError, InterruptedError];
  const known = expected.some((kind) => error instanceof kind) || stop.signal.aborted;
  process.stderr.write(`${styleText('red', 'error:')} ${known ? message : (stack ?? message)}\n`);
  if (stop.signal.aborted) return EXIT.interrupted;
  return error instanceof ConfigError ? EXIT.usage : EXIT.failed;
}

/** For a shell, so that the command in the report can be typed again. */
function quoted(word: string): string {
  return /^[\w./=,:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
