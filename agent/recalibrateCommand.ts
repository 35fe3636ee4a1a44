/** `agent recalibrate` on the command line. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { type Command, InvalidArgumentError } from 'commander';
import { ConfigError } from '../config/errors.ts';
import { readSettings } from '../config/settings.ts';
import type { CommandContext } from './commands.ts';
import { typedName } from './ingest/names.ts';
import type { RecalibratedOnDevice } from './recalibrate.ts';
import { requireSettings, sourcesOf, withSettings } from './settingsOptions.ts';

export function addRecalibrate(program: Command, context: CommandContext): void {
  withSettings(program.command('recalibrate'), ['bundle', 'watch.path', 'state.path'])
    .description('make a new bundle for this device, calibrated on captures that somebody found fine')
    .requiredOption(
      '--confirmed <file>',
      'their paths as `agent ledger list` shows them, one a line; - reads them',
    )
    .option(
      '--out <file>',
      'the new bundle; never overwritten (default: NAME-recalibrated.onnx beside the old)',
    )
    .option('--alpha <share>', 'another rate of false alarms to promise, such as 0.1', share)
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
The captures must still stand in the watched folder; the agent may run meanwhile, and goes on with its bundle until its
settings name the new one. Look at every capture of a stretch of time and confirm all that are fine, whatever their
verdict: a threshold from those alone that passed, or that were called, promises nothing. A promise of 5 % needs at
least 19 of them, 40 are a start.

Exit code: 0 done, 1 failed, 2 wrong usage, such as a name that is no scored capture.

Examples:
  agent ledger list --config agent.yaml --since 7d --limit 0 --json | jq -r .path > fine.txt
  agent recalibrate --config agent.yaml --confirmed fine.txt     (after taking out of fine.txt what is not)`,
    )
    .action(async ({ confirmed, out, alpha, json, ...options }) => {
      const settings = readSettings(sourcesOf(options, context.environment));
      requireSettings(settings, 'bundle', 'watch.path');
      const names = await namesIn(confirmed, settings['watch.path']);
      const { recalibrateOnDevice } = await import('./recalibrate.ts');
      const result = await recalibrateOnDevice({
        ...{ settings, confirmed: names, out, alpha },
        onImage: (done, all) => {
          if (context.onTerminal) context.printError(`\rscored ${done} of ${all}${done === all ? '\n' : ''}`);
        },
      });
      if (json) context.print(JSON.stringify(result));
      else for (const line of told(result)) context.print(line);
    });
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('Expected a number above 0 and below 1, such as 0.1.');
}

/** As a shell or an editor may write them: `./a.jpg`, absolute, with a byte order mark. */
async function namesIn(file: string, watched: string): Promise<string[]> {
  let content: string;
  try {
    content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(
      `--confirmed ${file} cannot be read (${(cause as NodeJS.ErrnoException).code}). Give a file with the path of a capture in each line.`,
      { cause },
    );
  }
  const names = content
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) => typedName(watched, line));
  if (names.length === 0) throw new ConfigError(`--confirmed ${file} names no capture.`);
  return names;
}

function told(result: RecalibratedOnDevice): string[] {
  const { images, copies, called, threshold, falseAlarms, warnings, bundle } = result;
  const percent = (share: number) => `${Number((100 * share).toPrecision(2))} %`;
  return [
    ...(copies > 0 ? [`${copies} confirmed captures left out: the same content as another`] : []),
    `old threshold: ${threshold.before.toPrecision(6)}, calls ${called.before} of the ${images} confirmed captures for review`,
    `new threshold: ${threshold.now.toPrecision(6)}, calls ${called.now} of them`,
    falseAlarms === null
      ? 'this rule promises no false-alarm rate'
      : `false alarms: at most ${percent(falseAlarms.promised)} promised; in 9 of 10 calibrations with ${images} captures the realised rate lies between ${percent(falseAlarms.low)} and ${percent(falseAlarms.high)}`,
    ...warnings.map((warning) => `warning: ${warning}`),
    `bundle: ${bundle}. To use it, set \`bundle\` to it in the settings and restart the agent.`,
  ];
}
