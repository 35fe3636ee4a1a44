/** `trainer fit` on the command line. */
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Region } from '../config/preprocessing.ts';
import { BACKENDS, type BackendName, parseBackend } from './backend/select.ts';
import { makeConsole } from './console.ts';
import { InterruptedError, TrainerError } from './error.ts';
import { parseNamed } from './evaluation/sources.ts';
import { withWhatIsLeft } from './interrupted.ts';
import { parseMask } from './mask-option.ts';
import { requireAccepted } from './quantize/quantize.ts';
import { changeRecipe, loadRecipe } from './recipe.ts';
import { type Change, parseChange } from './recipe-keys.ts';
import { runTrainer } from './run.ts';

export interface FitCommandContext {
  /** Cache folder of installed backends and encoders. */
  readonly cache: string;
  readonly threads: number;
  readonly stop: AbortSignal;
  /** As typed. */
  readonly command: string;
  readonly versions: { readonly trainer: string; readonly node: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly output: NodeJS.WriteStream;
  readonly errors: NodeJS.WriteStream;
}

/** Options that stand for a value of the recipe. */
const SHORTCUTS = {
  epochs: 'epochs',
  batch: 'batchSize',
  frames: 'input.frames',
  encoder: 'model.encoder',
  groupBy: 'split.groupBy',
} as const;

export function addFitCommand(program: Command, context: FitCommandContext): void {
  program
    .command('fit <folder>')
    .description('train on a folder of good images; write bundle, report, metrics and model')
    .option('--recipe <name|file>', 'recipe by name (see "trainer recipes") or a JSON file (default: auto)')
    .option('--out <folder>', 'folder of the run; never overwritten', 'run')
    .option('--epochs <n>', "passes over the training images (default: the recipe's)", wholeNumber)
    .option('--batch <n>', "images of one step (default: the recipe's)", wholeNumber)
    .option('--seed <n>', 'decides split, initial weights and order (default: 1)', wholeNumber)
    .option('--frames <n>', 'frames of one capture, from the pages of its file', wholeNumber)
    .option('--encoder <name|path>', 'pretrained encoder (see "trainer encoder list"), or a model file')
    .option('--group-by <regex>', 'its first group, in the name of an image, is the patient')
    .option(
      '--mask <left,top,width,height>',
      'blank this part of every image, here and on the device, such as a burned-in date: in pixels, or in per cent of the image as 0,92%,40%,8%; repeat for more',
      (text: string, before: Region[] | undefined) => [...(before ?? []), parseMask(text)],
    )
    .option(
      '--set <key=value>',
      'change a value of the recipe, such as threshold.alpha=0.1; repeat for more',
      (text: string, before: Change[]) => [...before, parseChange(text)],
      [] as Change[],
    )
    .option('--test <folder>', 'folder of labelled test images: good/ beside poor/, or one folder a kind')
    .option('--good <folder>', 'labelled good test images; repeat for more', collect, [])
    .option('--bad <[name=]folder>', 'labelled poor test images of one kind; repeat for more', collect, [])
    .option('--labels <csv>', 'labelled test images as path,label[,group]')
    .option('--examples <folder>', 'a few poor images that weigh the voices of auto; used for nothing else')
    .addOption(
      new Option(
        '--backend <name>',
        `what TensorFlow.js runs on: auto, ${BACKENDS.join(', ')} (default: auto; that of the run with --resume)`,
      ).argParser(backendName),
    )
    .addOption(
      new Option(
        '--golden <kind>',
        'images in the bundle that prove it on a device: made ones, or real training images',
      )
        .choices(['made', 'real'])
        .default('made'),
    )
    .option(
      '--quantize',
      'compute the convolutions in 8-bit integers: a smaller and faster bundle, refused where its verdicts change (kept with --resume)',
      false,
    )
    .option('--resume', 'go on with the run in --out where it stopped', false)
    .option('--json', 'print the metrics as JSON at the end; what goes on is told on standard error', false)
    .addHelpText(
      'after',
      `
The folder may hold good images only, or a data set: train_good/ beside test_good/ and test_anomalous/, train/ beside
test/, a folder for each class, or IDX files. What was taken for what is told. Files and folders whose name begins
with a dot are left out. Ctrl-C ends training after the batch: a recipe that trains on pixels keeps the best weights
and still writes everything; auto, which takes a minute, keeps the settings, and --resume begins again with them. A
second Ctrl-C ends at once.

--quantize is for recipes that train convolutions on pixels. The threshold is set by the quantised bundle. Where that
changes more than 0.5 % of the verdicts, or ranks worse, it is refused: the bundle is then the one in float32, and the
exit code 1. Compared are the labelled images and those that set both thresholds; without labelled ones the latter
alone, which is a weak test. A run that was begun with --quantize goes on with it.

Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted twice, or before there was anything to keep.

Examples:
  trainer fit good/
  trainer fit good/ --recipe fundus --out run-1 --epochs 100 --seed 7
  trainer fit good/ --examples poor/
  trainer fit good/ --encoder efficientnet-lite2
  trainer fit good/ --mask 0,92%,40%,8%
  trainer fit good/ --good more/good --bad blurred=more/blurred --bad dark=more/dark --out run-2
  trainer fit brain/ --recipe brain-mri --encoder resnet50.onnx --epochs 100
  trainer fit chest/ --recipe chest-xray --frames 5 --group-by 'person(\\d+)'
  trainer fit cells/ --recipe malaria --set input.thresholding.method=otsu
  trainer fit good/ --recipe fundus --set model.kind=vae --set model.latent=32
  trainer fit good/ --set threshold.rule=mean-std --set threshold.k=2
  trainer fit good/ --recipe fundus --good test/good --bad test/poor --quantize
  trainer fit good/ --out run-1 --resume --epochs 200`,
    )
    .action(async (folder: string, options) => {
      if (path.resolve(options.out) === path.resolve(folder))
        throw new TrainerError(
          `--out ${options.out} is the folder of the images: a run would put its files among them. Choose another.`,
        );
      const changes: Change[] = [...options.set];
      for (const [option, key] of Object.entries(SHORTCUTS))
        if (options[option] !== undefined) changes.push({ key, value: String(options[option]) });
      if (options.mask !== undefined)
        changes.push({ key: 'input.mask', value: JSON.stringify(options.mask) });
      const metrics = await runTrainer(
        {
          folder,
          out: options.out,
          recipe: async (before) =>
            before !== null && options.recipe === undefined
              ? changeRecipe(before, changes, 'of the run')
              : loadRecipe(options.recipe ?? 'auto', changes),
          seed: options.seed,
          labelled: {
            test: options.test ?? null,
            good: options.good,
            bad: options.bad.map(parseNamed),
            csv: options.labels ?? null,
          },
          examples: options.examples ?? null,
          realGolden: options.golden === 'real',
          quantize: options.quantize,
          backend: options.backend,
          resume: options.resume,
          cache: context.cache,
          threads: context.threads,
          stop: context.stop,
          command: context.command,
          versions: context.versions,
          environment: context.environment,
          home: context.home,
        },
        makeConsole(options.json ? context.errors : context.output),
      ).catch(async (error: unknown) => {
        throw error instanceof InterruptedError ? await withWhatIsLeft(error, options.out) : error;
      });
      if (options.json) context.output.write(`${JSON.stringify(metrics)}\n`);
      if (metrics.quantization !== null) requireAccepted(metrics.quantization, options.out);
    });
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

const collect = (text: string, before: string[]): string[] => [...before, text];
