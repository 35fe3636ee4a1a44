/** `trainer evaluate` on the command line. */
import { type Command, InvalidArgumentError } from 'commander';
import { makeConsole } from '../console.ts';
import { runEvaluate } from './run-evaluate.ts';

/** What the composition root knows and this command needs. */
export interface EvaluateContext {
  /** Ends what is running, as on Ctrl-C. */
  readonly stop: AbortSignal;
  /** As typed. */
  readonly command: string;
  readonly versions: { readonly trainer: string; readonly node: string };
  readonly output: NodeJS.WriteStream;
  readonly errors: NodeJS.WriteStream;
}

/** Adds the command `evaluate` to the trainer's. Failures are thrown as TrainerError, BundleError or InterruptedError. */
export function addEvaluateCommands(program: Command, context: EvaluateContext): void {
  program
    .command('evaluate <bundle>')
    .description('tell what a bundle is worth on labelled images; write report and metrics')
    .option('--good <folder>', 'good images; repeat for more', collect, [])
    .option('--bad <[name=]folder>', 'poor images of one kind; repeat for more', collect, [])
    .option('--labels <csv>', 'labelled images as path,label[,group]')
    .option(
      '--train <folder>',
      'images that the model was trained on, to find leaks and shifts (default: those of the run beside the bundle)',
    )
    .option('--group-by <regex>', 'its first group, in the name of an image, is the patient', pattern)
    .option('--out <folder>', 'folder for report.html and metrics.json; never overwritten', 'evaluation')
    .option('--seed <n>', 'decides what the bootstrap draws', wholeNumber, 1)
    .option('--json', 'print the metrics as JSON at the end; what goes on is told on standard error', false)
    .addHelpText(
      'after',
      `
Every image is scored by the device's own code. Intervals are drawn again by patient where --group-by or a CSV names
one. Without the training images (--train, or the run folder beside the bundle) it says which checks were not made.
Ctrl-C ends it after the image and writes nothing.

Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

Examples:
  trainer evaluate run/bundle.onnx --good labelled/good --bad labelled/poor
  trainer evaluate bundle.onnx --good good/ --bad blur=blurred/ --bad dark=underexposed/ --train training/
  trainer evaluate bundle.onnx --labels labels.csv --out evaluation-2
  trainer evaluate bundle.onnx --good good/ --bad poor/ --group-by '^(patient[0-9]+)_'
  trainer evaluate bundle.onnx --good good/ --bad poor/ --json > figures.json`,
    )
    .action(async (bundle: string, { json, ...options }) => {
      const { stop, command, versions, output, errors } = context;
      const metrics = await runEvaluate(
        {
          bundle,
          good: options.good,
          bad: options.bad,
          labels: options.labels,
          train: options.train,
          groupBy: options.groupBy,
          out: options.out,
          seed: options.seed,
          ...{ stop, command, versions },
        },
        makeConsole(json ? errors : output),
      );
      if (json) output.write(`${JSON.stringify(metrics)}\n`);
    });
}

const collect = (text: string, before: readonly string[]): string[] => [...before, text];

function pattern(text: string): string {
  try {
    new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('Expected a whole number.');
  return value;
}
