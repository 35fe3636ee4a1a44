/** `agent ledger`: what happened to this file? Reads only; the agent may run meanwhile. */
import { styleText } from 'node:util';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readSettings } from '../../config/settings.ts';
import { REASONS, verdictWord } from '../../config/verdict.ts';
import type { CommandContext } from '../commands.ts';
import { typedName } from '../ingest/names.ts';
import { requireSettings, sourcesOf, withSettings } from '../settingsOptions.ts';
import { DELIVERIES, type Filter, type LedgerReader, type LedgerRow, openLedgerReader } from './reader.ts';
import { instantOption } from './time.ts';

type Options = Readonly<Record<string, string | boolean>>;

/** @param end sets the exit code. */
export function addLedger(program: Command, context: CommandContext, end: (code: number) => void): void {
  const ledger = program
    .command('ledger')
    .description('what happened to this file? The record of all captures, verdicts and deliveries')
    .addHelpText(
      'after',
      '\nReads only: the agent may run meanwhile. Paths are shown; they do not leave this PC.',
    );
  addList(ledger, context);
  addShow(ledger, context, end);
  addVerify(ledger, context, end);
  addExport(ledger, context);
}

function addList(ledger: Command, context: CommandContext): void {
  withFilters(ledger.command('list'))
    .description('verdicts, the newest first')
    .option('--limit <count>', 'so many at most; 0: all', naturalNumber, 50)
    .option('--json', 'a JSON line each')
    .addHelpText(
      'after',
      `
Examples:
  agent ledger list --state /var/lib/plumbline
  agent ledger list --config agent.yaml --verdict review --since 24h
  agent ledger list --path 'monday/*' --delivery waiting`,
    )
    .action(async (options) =>
      reading(options, context, async (reader) => {
        const { limit } = options;
        let shown = 0;
        for (const row of reader.rows(filterOf(options), 'newest')) {
          if (limit > 0 && shown === limit) {
            if (!options.json) context.printError(`The newest ${limit}; --limit 0 shows all.\n`);
            return;
          }
          shown++;
          context.print(options.json ? JSON.stringify(row) : line(row));
        }
        if (shown === 0 && !options.json) context.printError('No verdict matches.\n');
      }),
    );
}

function addShow(ledger: Command, context: CommandContext, end: (code: number) => void): void {
  withSettings(ledger.command('show <what>'), ['watch.path', 'state.path'])
    .description('everything about one capture: by its path within the watched folder, ref, id, or seq')
    .option('--json', 'as JSON, one line per verdict, with the message as published')
    .addHelpText(
      'after',
      `
Exit code: 0 found, 1 there is no record of it.

Examples:
  agent ledger show monday/capture-17.jpg --state /var/lib/plumbline
  agent ledger show /captures/monday/capture-17.jpg --config agent.yaml
  agent ledger show 0b6a5f0e7c1d4b9f8a2e6d3c5b7a9f10 --config agent.yaml`,
    )
    .action(async (what: string, options) =>
      reading(options, context, async (reader) => {
        const watched = readSettings(sourcesOf(options, context.environment))['watch.path'];
        const rows = found(reader, what, watched);
        for (const row of rows) {
          const message = reader.message(row.seq);
          if (options.json) context.print(JSON.stringify({ ...row, message }));
          else {
            context.print(line(row));
            context.print(details(row));
            context.print(
              message === null
                ? '  message: pruned (ledger.age, ledger.bytes)'
                : `  ${JSON.stringify(message)}`,
            );
          }
        }
        if (rows.length > 0) return;
        context.printError(`There is no record of ${what}.\n`);
        end(1);
      }),
    );
}

function addVerify(ledger: Command, context: CommandContext, end: (code: number) => void): void {
  withSettings(ledger.command('verify'), [
    'watch.path',
    'watch.ignore',
    'watch.settle',
    'limits.depth',
    'state.path',
  ])
    .description('prove it: each settled file has one record, each record was acknowledged or waits')
    .option('--content', 'read every file, too: does it hold what its verdict is on?')
    .option('--json', 'a JSON line for each proof')
    .addHelpText(
      'after',
      `
Exit code: 0 all of it holds, 1 something does not, 2 wrong usage.

Example:
  agent ledger verify --config agent.yaml`,
    )
    .action(async (options: Options) => {
      const settings = readSettings(sourcesOf(options, context.environment));
      requireSettings(settings, 'watch.path');
      const { verify } = await import('./verify.ts');
      await reading(options, context, async (reader) => {
        for await (const proof of verify(reader, settings, options.content === true)) {
          if (!proof.ok) end(1);
          const word = proof.ok ? styleText('green', 'ok    ') : styleText('red', 'failed');
          context.print(options.json ? JSON.stringify(proof) : `${word} ${proof.what}: ${proof.said}`);
        }
      });
    });
}

function addExport(ledger: Command, context: CommandContext): void {
  withFilters(ledger.command('export'))
    .description('all of it, the oldest first, to standard output')
    .addOption(
      new Option('--format <format>', 'jsonl: a JSON line per verdict, with the message as published')
        .choices(['csv', 'jsonl'])
        .default('csv'),
    )
    .addHelpText(
      'after',
      `
Examples:
  agent ledger export --state /var/lib/plumbline > ledger.csv
  agent ledger export --config agent.yaml --since 2026-01-01 --format jsonl > 2026.jsonl`,
    )
    .action(async (options) =>
      reading(options, context, async (reader) => {
        const { stringify } = await import('csv-stringify/sync');
        let header = true;
        for (const row of reader.rows(filterOf(options), 'oldest')) {
          if (options.format === 'jsonl')
            context.print(JSON.stringify({ ...row, message: reader.message(row.seq) }));
          else {
            // A spreadsheet would run a file name that begins like a formula.
            const text = stringify([row], { header, escape_formulas: true, cast: { boolean: String } });
            context.print(text.trimEnd());
          }
          header = false;
        }
      }),
    );
}

function withFilters(command: Command): Command {
  return withSettings(command, ['state.path'])
    .optionsGroup('Which:')
    .option('--path <path>', 'of the file within the watched folder; * and ? stand for others')
    .option('--ref <ref>', 'image.ref of a verdict')
    .option('--id <id>', 'id of a verdict')
    .addOption(new Option('--verdict <word>').choices(verdictWord.options))
    .addOption(new Option('--reason <code>').choices(Object.keys(REASONS)))
    .addOption(new Option('--delivery <state>', 'what became of it').choices(DELIVERIES))
    .addOption(instantOption('--since', 'recorded at that time or later'))
    .addOption(instantOption('--until', 'recorded before that time'));
}

function filterOf(options: Filter): Filter {
  const { path, ref, id, verdict, reason, delivery, since, until } = options;
  return { path, ref, id, verdict, reason, delivery, since, until };
}

async function reading(
  options: Options,
  context: CommandContext,
  use: (reader: LedgerReader) => Promise<void>,
): Promise<void> {
  const reader = openLedgerReader(readSettings(sourcesOf(options, context.environment))['state.path']);
  try {
    await use(reader);
  } finally {
    reader.close();
  }
}

/** By path first; what looks like a ref, an id or a number may be one. */
/** By what comes first. A path may also begin at `/`, where it is known which folder is watched, or with `./`. */
function found(reader: LedgerReader, what: string, watched: string): LedgerRow[] {
  const seq = /^[1-9]\d{0,14}$/.test(what) ? Number(what) : undefined;
  for (const filter of [
    { path: what },
    { path: typedName(watched, what) },
    { ref: what },
    { id: what },
    ...(seq === undefined ? [] : [{ seq }]),
  ]) {
    const rows = [...reader.rows(filter, 'oldest')];
    if (rows.length > 0) return rows;
  }
  return [];
}

function line(row: LedgerRow): string {
  const colour = { pass: 'green', review: 'yellow', unscorable: 'red' } as const;
  const word = styleText(colour[row.verdict], row.verdict.padEnd(10));
  const why = row.score === null ? row.reason : `score ${row.score.toPrecision(4)}`;
  const more = [
    ...(row.frame === null ? [] : [`frame ${row.frame}`]),
    ...(row.revision > 1 ? [`revision ${row.revision}`] : []),
    ...(row.again ? ['to be judged again'] : []),
  ];
  return `${String(row.seq).padStart(6)}  ${row.recordedAt}  ${word}  ${row.delivery.padEnd(12)}  ${visible(row.path)}  ${[why, ...more].join(', ')}`;
}

/** Names may hold what moves the cursor, or ends the line. */
function visible(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function details(row: LedgerRow): string {
  return [
    `  captured ${row.capturedAt}, ${row.bytes} bytes, SHA-256 ${row.sha256 ?? '(not read)'}`,
    `  scored ${row.scoredAt}, recorded ${row.recordedAt}, acknowledged ${row.acknowledgedAt ?? 'never'}`,
    `  id ${row.id}, ref ${row.ref}, model ${row.model}`,
  ].join('\n');
}

function naturalNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
