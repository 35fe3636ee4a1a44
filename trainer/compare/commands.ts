/** `trainer compare` on the command line. */
import type { Command } from 'commander';
import { writeAtomically } from '../../convert/files.ts';
import { type Console, makeConsole } from '../console.ts';
import { TrainerError } from '../error.ts';
import { type Comparison, compareRuns } from './compare.ts';
import { renderComparison } from './page.ts';
import { readTestedRun } from './read-run.ts';

export interface CompareContext {
  /** As typed. */
  readonly command: string;
  readonly output: NodeJS.WriteStream;
  readonly errors: NodeJS.WriteStream;
}

/** Adds the command `compare` to the trainer's. Failures are thrown as TrainerError. */
export function addCompareCommand(program: Command, context: CompareContext): void {
  program
    .command('compare <runs...>')
    .description('compare models on the same labelled images: is the better one really better?')
    .option('--out <file>', 'page to write; an older one is overwritten', 'compare.html')
    .option('--json', 'print the comparison as JSON; the rest is told on standard error', false)
    .addHelpText(
      'after',
      `
Runs are folders that "trainer fit" or "trainer evaluate" wrote; all are compared with the first. They must have been
tested on the same images, found by their content. The interval of a difference comes from drawing the same images again
for both (by patient where the evaluation knew patients).

Exit code: 0 done (whichever is better), 1 failed, 2 wrong usage.

Examples:
  trainer compare run-1 run-2
  trainer compare run-small run-large run-vae --out models.html
  trainer evaluate run-1/bundle.onnx --good good/ --bad poor/ --out test-1
  trainer evaluate run-2/bundle.onnx --good good/ --bad poor/ --out test-2
  trainer compare test-1 test-2`,
    )
    .action(async (folders: string[], { out, json }: { out: string; json: boolean }) => {
      const { command, output, errors } = context;
      if (folders.length < 2)
        throw new TrainerError(
          `Expected at least two runs, got one: ${folders[0]}. Name the others beside it: trainer compare run-1 run-2`,
        );
      const runs = [];
      for (const folder of folders) runs.push(await readTestedRun(folder));
      const comparison = compareRuns(runs);
      await writeAtomically(out, renderComparison(comparison, command));
      tellComparison(makeConsole(json ? errors : output), comparison, out);
      if (json) output.write(`${JSON.stringify(comparison)}\n`);
    });
}

function tellComparison(
  console: Console,
  { runs, good, poor, groups, conclusions }: Comparison,
  out: string,
): void {
  console.say(
    `compared on ${good} good and ${poor} poor images that all were tested on${groups === null ? '' : `, of ${groups} groups`}`,
  );
  const width = Math.max(...runs.map(({ folder }) => folder.length));
  for (const { folder, auroc } of runs)
    console.say(
      `  ${folder.padEnd(width)}   AUROC ${auroc.value.toFixed(3)} (${auroc.low.toFixed(3)} to ${auroc.high.toFixed(3)})`,
    );
  console.say('');
  for (const sentence of conclusions) console.say(sentence);
  if (conclusions.length > 1)
    console.say(
      'Each is compared with the first alone; the more are compared, the more likely one of them looks better by chance.',
    );
  console.say(`\npage: ${out}`);
}
