/** The trainer's command line. Only here: environment, arguments, signals, exit codes. */
import { availableParallelism, homedir } from 'node:os';
import { styleText } from 'node:util';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { BundleError } from '../agent/inspect/bundle.ts';
import { ConfigError } from '../config/errors.ts';
import { addBackendCommands } from './backend/commands.ts';
import { BackendError } from './backend/error.ts';
import { cacheFolder } from './backend/find.ts';
import { BACKENDS, type BackendName, parseBackend } from './backend/select.ts';
import { makeConsole } from './console.ts';
import { InterruptedError, TrainerError } from './error.ts';
import manifest from './package.json' with { type: 'json' };
import { type Change, changeRecipe, listRecipes, loadRecipe, parseChange } from './recipe.ts';
import { runTrainer } from './run.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

process.env.TF_CPP_MIN_LOG_LEVEL ??= '1'; // TensorFlow's own notes on standard error: warnings and worse

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupted);

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // TensorFlow's C library: warnings and notes are for its developers
const cache = cacheFolder(process.env, homedir());
const program = new Command('trainer')
  .description('Learns from good images alone what a capture should look like, and writes one .onnx bundle.')
  .version(manifest.version)
  .exitOverride();

program
  .command('fit <folder>')
  .description('train on a folder of good images; write bundle, report, metrics and model')
  .option('--recipe <name|file>', 'recipe by name (see "trainer recipes") or a JSON file (default: fundus)')
  .option('--out <folder>', 'folder of the run; never overwritten', 'run')
  .option('--epochs <n>', "passes over the training images (default: the recipe's)", wholeNumber)
  .option('--batch <n>', "images of one step (default: the recipe's)", wholeNumber)
  .option('--seed <n>', 'decides split, initial weights and order (default: 1)', wholeNumber)
  .option(
    '--set <key=value>',
    'change a value of the recipe, such as threshold.alpha=0.1; repeat for more',
    collect,
  )
  .option(
    '--test <folder>',
    'labelled test images in <folder>/good and <folder>/poor (default: test within the folder, if there)',
  )
  .addOption(
    new Option('--backend <name>', `what TensorFlow.js runs on: auto, ${BACKENDS.join(', ')}`)
      .argParser(backendName)
      .default('auto'),
  )
  .option('--resume', 'go on with the run in --out where it stopped', false)
  .option('--json', 'print the metrics as JSON at the end; what goes on is told on standard error', false)
  .addHelpText(
    'after',
    `
Files and folders whose name begins with a dot are left out. Ctrl-C ends training after the batch, keeps the best
weights and still writes everything; a second Ctrl-C ends at once.

Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted twice, or before there was anything to keep.

Examples:
  trainer fit good/
  trainer fit good/ --recipe fundus --out run-1 --epochs 100 --seed 7
  trainer fit good/ --test labelled/ --out run-2
  trainer fit good/ --set input.width=64 --set input.height=64 --set threshold.alpha=0.1
  trainer fit good/ --set threshold.rule=mean-std --set threshold.k=2
  trainer fit good/ --out run-1 --resume --epochs 200`,
  )
  .action(async (folder: string, options) => {
    const changes: Change[] = [
      ...(options.set ?? []),
      ...(options.epochs === undefined ? [] : [{ key: 'epochs', value: String(options.epochs) }]),
      ...(options.batch === undefined ? [] : [{ key: 'batchSize', value: String(options.batch) }]),
    ];
    const metrics = await runTrainer(
      {
        folder,
        out: options.out,
        recipe: async (before) =>
          before !== null && options.recipe === undefined
            ? changeRecipe(before, changes, 'of the run')
            : loadRecipe(options.recipe ?? 'fundus', changes),
        seed: options.seed,
        test: options.test,
        backend: options.backend,
        threads: availableParallelism(),
        cache,
        resume: options.resume,
        stop: stop.signal,
        command: ['trainer', ...process.argv.slice(2)].map(quoted).join(' '),
        versions: { trainer: manifest.version, node: process.version },
      },
      makeConsole(options.json ? process.stderr : process.stdout),
    );
    if (options.json) process.stdout.write(`${JSON.stringify(metrics)}\n`);
  });

program
  .command('recipes')
  .description('the recipes there are')
  .action(async () => {
    for (const { name, description } of await listRecipes())
      process.stdout.write(`${name.padEnd(12)} ${description}\n`);
  });

addBackendCommands(program, {
  cache,
  machine: { platform: process.platform, arch: process.arch },
  environment: process.env,
  print: (text) => void process.stdout.write(text),
  report: (text) => void process.stderr.write(text),
  signal: stop.signal,
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

/** Prints what went wrong, unless commander has done so, and gives the exit code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { message, stack } = error as Error;
  const expected = [ConfigError, TrainerError, BackendError, BundleError, InterruptedError];
  const known = expected.some((kind) => error instanceof kind) || stop.signal.aborted;
  process.stderr.write(`${styleText('red', 'error:')} ${known ? message : (stack ?? message)}\n`);
  if (stop.signal.aborted) return EXIT.interrupted;
  return error instanceof ConfigError ? EXIT.usage : EXIT.failed;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Expected a whole number.');
  return value;
}

function backendName(text: string): BackendName | 'auto' {
  try {
    return parseBackend(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function collect(text: string, before: Change[] = []): Change[] {
  return [...before, parseChange(text)];
}

/** For a shell, so that the command in the report can be typed again. */
function quoted(word: string): string {
  return /^[\w./=,:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
