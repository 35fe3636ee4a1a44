/** `npm run bench [-- name... [--only part]... [--COUNT number]... [--CHOICE value]... [--json]]`: every figure that the documents quote, each by one command. */
import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.ts';
import { cacheFolder } from '../trainer/backend/find.ts';
import { agent } from './agent.ts';
import { type Bench, type BenchContext, MissingPrerequisite, type Table, WrongChoice } from './bench.ts';
import { chaos } from './chaos.ts';
import { convert } from './convert.ts';
import { crowded } from './crowded.ts';
import { delivery } from './delivery.ts';
import { detectors } from './detectors.ts';
import { encoders } from './encoders.ts';
import { faults } from './faults.ts';
import { hostile } from './hostile.ts';
import { int8 } from './int8.ts';
import { keras } from './keras.ts';
import { latency } from './latency.ts';
import { maps } from './maps.ts';
import { parity } from './parity.ts';
import { soak } from './soak.ts';
import { systems } from './systems.ts';
import { formatTable } from './table.ts';
import { training } from './training.ts';

const BENCHES: readonly Bench[] = [
  training,
  convert,
  parity,
  latency,
  delivery,
  agent,
  chaos,
  hostile,
  faults,
  soak,
  crowded,
  encoders,
  systems,
  detectors,
  maps,
  keras,
  int8,
];

const COUNTS = new Set(BENCHES.flatMap(({ counts = {} }) => Object.keys(counts)));
const CHOICES = new Map(BENCHES.flatMap(({ choices = {} }) => Object.entries(choices)));

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      json: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      ...Object.fromEntries([...COUNTS].map((name) => [name, { type: 'string' } as const])),
      ...Object.fromEntries(
        [...CHOICES].map(([name, kind]) => [name, { type: kind === 'flag' ? 'boolean' : 'string' } as const]),
      ),
    },
  });
  if (values.help === true) process.stdout.write(usage());
  else
    process.exitCode = await main(positionals, values.only ?? [], values.json === true, {
      counts: countsOf(values),
      choices: choicesOf(values),
    });
} catch (error) {
  const asked = String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
  if (!asked && !(error instanceof WrongChoice)) throw error;
  process.stderr.write(`${(error as Error).message}\n${asked ? usage() : ''}`);
  process.exitCode = 2;
}

function usage(): string {
  const lines = BENCHES.map(({ name, title, parts = [], counts = {}, choices = {} }) => {
    const options = [
      ...Object.entries(counts).map(([count, value]) => `--${count} ${value}`),
      ...Object.entries(choices).map(([choice, kind]) => `--${choice}${kind === 'flag' ? '' : ' VALUE'}`),
      ...(parts.length === 0 ? [] : [`--only ${parts.join('|')}`]),
    ];
    return `  ${name.padEnd(10)} ${title}${options.length === 0 ? '' : `\n${' '.repeat(13)}${options.join(' ')}`}\n`;
  });
  return `npm run bench -- [NAME...] [options]: all benchmarks, or those that are named; --json prints a line of JSON each.
Counts are shown with their defaults.

${lines.join('')}
Example: npm run bench -- detectors --only fundus
`;
}

/** What was asked for beside names, as numbers. */
function countsOf(given: Readonly<Record<string, unknown>>): Record<string, number> {
  return Object.fromEntries(
    [...COUNTS].flatMap((name) => (given[name] === undefined ? [] : [[name, Number(given[name])]])),
  );
}

/** What was asked for beside names and counts; a flag is "". */
function choicesOf(given: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    [...CHOICES.keys()].flatMap((name) =>
      given[name] === undefined ? [] : [[name, given[name] === true ? '' : String(given[name])]],
    ),
  );
}

async function main(
  names: readonly string[],
  only: readonly string[],
  json: boolean,
  asked: Pick<BenchContext, 'counts' | 'choices'>,
): Promise<number> {
  const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    const near = nearest(
      unknown,
      BENCHES.map(({ name }) => name),
    );
    const list = BENCHES.map(({ name, title }) => `  ${name.padEnd(10)} ${title}`).join('\n');
    process.stderr.write(
      `There is no benchmark "${unknown}".${near === undefined ? '' : ` Did you mean ${near}?`}\n${list}\n`,
    );
    return 2;
  }
  const chosen = names.length === 0 ? BENCHES : BENCHES.filter(({ name }) => names.includes(name));
  const parts = chosen.flatMap(({ parts = [] }) => parts);
  const strange = only.find((part) => !parts.includes(part));
  if (strange !== undefined) {
    const there = parts.length === 0 ? 'what was chosen has no parts' : `there are ${parts.join(', ')}`;
    process.stderr.write(`--only ${strange}: ${there}.\n`);
    return 2;
  }
  const strayCount = Object.entries(asked.counts).find(
    ([name, value]) => !(value > 0) || !chosen.some(({ counts = {} }) => name in counts),
  );
  if (strayCount !== undefined) {
    const [name, value] = strayCount;
    const why = value > 0 ? 'nothing that was chosen has this count' : 'it takes a number above 0';
    process.stderr.write(`--${name} ${value}: ${why}.\n`);
    return 2;
  }
  const strayChoice = Object.keys(asked.choices).find(
    (name) => !chosen.some(({ choices = {} }) => name in choices),
  );
  if (strayChoice !== undefined) {
    process.stderr.write(`--${strayChoice}: nothing that was chosen has this option.\n`);
    return 2;
  }
  const context: BenchContext = {
    cache: fileURLToPath(new URL('.cache', import.meta.url)),
    backends: cacheFolder(process.env, homedir()),
    environment: process.env,
    only,
    ...asked,
    report: (text) => process.stderr.write(text),
  };
  await mkdir(context.cache, { recursive: true });
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.version}`;
  if (!json) process.stdout.write(`${machine}\n\n`);
  let failed = false;
  for (const bench of chosen) failed = (await runBench(bench, context, json ? machine : undefined)) || failed;
  return failed ? 1 : 0;
}

/** Prints the tables as text, or with `machine` one line of JSON for the whole benchmark. Gives whether one failed. */
async function runBench(bench: Bench, context: BenchContext, machine: string | undefined): Promise<boolean> {
  const { name, title } = bench;
  let tables: Table[] = [];
  let skipped: string | undefined;
  try {
    tables = await bench.run({ ...context, counts: { ...bench.counts, ...context.counts } });
  } catch (error) {
    if (!(error instanceof MissingPrerequisite)) throw error;
    skipped = error.message;
  }
  if (machine !== undefined)
    process.stdout.write(`${JSON.stringify({ name, title, machine, skipped, tables })}\n`);
  else if (skipped !== undefined) process.stdout.write(`${name}: skipped. ${skipped}\n\n`);
  for (const table of machine === undefined ? tables : []) process.stdout.write(`${formatTable(table)}\n`);
  return tables.some(({ failed }) => failed === true);
}
