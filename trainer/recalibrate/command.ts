/** `trainer recalibrate` on the command line. */
import { type Command, InvalidArgumentError } from 'commander';
import { makeConsole } from '../console.ts';
import { type Change, parseChange } from '../recipe-keys.ts';
import { runRecalibrate } from './recalibrate.ts';

export interface RecalibrateContext {
  /** Ends what is running, as on Ctrl-C. */
  readonly stop: AbortSignal;
  readonly output: NodeJS.WriteStream;
  readonly errors: NodeJS.WriteStream;
}

/** Adds the command `recalibrate`. Failures are thrown as TrainerError, ConfigError, BundleError or InterruptedError. */
export function addRecalibrateCommand(program: Command, context: RecalibrateContext): void {
  program
    .command('recalibrate <bundle>')
    .description('make a new bundle for another site: the same weights, calibrated on good images from there')
    .requiredOption('--good <folder>', 'good images of the other site; repeat for more', collect)
    .option('--out <file>', 'the new bundle; never overwritten (default: NAME-recalibrated.onnx beside it)')
    .option('--group-by <regex>', 'its first group, in the name of an image, is the patient', pattern)
    .option(
      '--set <threshold.key=value>',
      "change the threshold's rule, such as threshold.alpha=0.1; repeat for more",
      (text: string, before: Change[]) => [...before, parseChange(text)],
      [] as Change[],
    )
    .option('--json', 'print the result as JSON at the end; what goes on is told on standard error', false)
    .addHelpText(
      'after',
      `
Every image is scored by the device's own code. Copies count once, files that are no images are left out, and so are
images that the model was made from, where the run beside the bundle names them. It says how many of the new images
the old threshold calls, and in what they differ from those of the old calibration. Forty good images are a start; a
promise of 5 % needs at least 19. Ctrl-C ends it after the image and writes nothing.

Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

Examples:
  trainer recalibrate run/bundle.onnx --good other-site/good
  trainer recalibrate bundle.onnx --good good/ --out clinic-b.onnx --group-by '^(patient[0-9]+)_'
  trainer recalibrate bundle.onnx --good good/ --set threshold.alpha=0.1
  trainer recalibrate bundle.onnx --good good/ --set threshold.rule=quantile --set threshold.q=0.98
  trainer recalibrate bundle.onnx --good good/ --json > recalibrated.json`,
    )
    .action(async (bundle: string, { json, ...options }) => {
      const { stop, output, errors } = context;
      const result = await runRecalibrate(
        {
          bundle,
          good: options.good,
          out: options.out,
          groupBy: options.groupBy,
          changes: options.set,
          stop,
        },
        makeConsole(json ? errors : output),
      );
      if (json) output.write(`${JSON.stringify(result)}\n`);
    });
}

const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

function pattern(text: string): string {
  try {
    new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
}
