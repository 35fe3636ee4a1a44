/** `agent retry` and `agent rescore`: have captures judged again, by the agent that runs or at its next start. */
import { type Command, Option } from 'commander';
import type { AgentSettings } from '../../config/agent.ts';
import { ConfigError } from '../../config/errors.ts';
import { readSettings } from '../../config/settings.ts';
import { REASONS } from '../../config/verdict.ts';
import type { CommandContext } from '../commands.ts';
import { noFault } from '../faultPoints.ts';
import { requireSettings, sourcesOf, withSettings } from '../settingsOptions.ts';
import type { Wish } from './again.ts';
import { openLedgerReader } from './reader.ts';
import { instantOption } from './time.ts';

/** A capture that was scored is judged again by `rescore`. */
const UNSCORABLE = Object.keys(REASONS).filter(
  (code) => code !== 'above-threshold' && code !== 'below-threshold',
);

const MEANWHILE = `
A capture gets a new verdict with the next revision, which names the one that it supersedes. The agent may run: it sees
within a second what is wanted; else it does so at its next start. Asking again before the answer publishes nothing twice.
Exit code: 0 asked, or there was nothing to ask; 1 failed; 2 wrong usage.
`;

export function addAgain(program: Command, context: CommandContext): void {
  withSettings(program.command('retry'), ['watch.path', 'state.path'])
    .description('judge captures again that were unscorable, such as after a limit was raised')
    .addOption(new Option('--reason <code>', 'only those with this reason').choices(UNSCORABLE))
    .option('--dry-run', 'only say what would be judged again')
    .addHelpText('after', `${MEANWHILE}\nExample:\n  agent retry --config agent.yaml --reason timeout`)
    .action(async (options) => {
      const settings = readSettings(sourcesOf(options, context.environment));
      requireSettings(settings, 'watch.path');
      await ask(
        settings,
        { cause: 'retry', reason: options.reason ?? null },
        options.dryRun === true,
        context,
      );
    });
  withSettings(program.command('rescore'), ['bundle', 'watch.path', 'state.path'])
    .description(
      'judge captures again that were recorded since a time and whose verdict is of another bundle than that in the settings',
    )
    .addOption(instantOption('--since', 'those recorded at that time or later').makeOptionMandatory())
    .option('--dry-run', 'only say what would be judged again')
    .addHelpText(
      'after',
      `${MEANWHILE}
First restart the agent with the new bundle: whichever it runs judges, so any other is refused.

Example:
  agent rescore --config agent.yaml --since 7d`,
    )
    .action(async (options) => {
      const settings = readSettings(sourcesOf(options, context.environment));
      requireSettings(settings, 'bundle', 'watch.path');
      const { readBundle } = await import('../inspect/bundle.ts');
      const { digest } = (await readBundle(settings.bundle)).manifest;
      requireRunning(settings, digest);
      const wish = { cause: 'rescore', since: options.since, model: digest } as const;
      await ask(settings, wish, options.dryRun === true, context);
    });
}

/** What another bundle than the wanted one judges would be wanted again, and published again, without end. */
function requireRunning(settings: AgentSettings, digest: string): void {
  const reader = openLedgerReader(settings['state.path']);
  try {
    const running = reader.lastBundle();
    if (running === null || running === digest) return;
    throw new ConfigError(
      `The agent on ${settings['state.path']} runs, or ran last, with the bundle ${running}, not with ${settings.bundle} (${digest}). Restart it with this bundle first: whichever it runs judges.`,
    );
  } finally {
    reader.close();
  }
}

async function ask(
  settings: AgentSettings,
  wish: Wish,
  dry: boolean,
  context: CommandContext,
): Promise<void> {
  const reader = openLedgerReader(settings['state.path'], 'write');
  try {
    const { askAgain } = await import('./again.ts');
    const { asked, waiting, gone } = await askAgain(
      reader,
      settings['watch.path'],
      wish,
      dry,
      context.faultPoint ?? noFault,
    );
    const more = [
      ...(waiting > 0 ? [`${waiting} asked for before and not judged since`] : []),
      ...(gone > 0 ? [`${gone} no longer in the folder`] : []),
    ];
    const captures = asked.length === 1 ? '1 capture' : `${asked.length} captures`;
    const will = dry ? 'would be judged again' : 'will be judged again';
    context.print([`${captures} ${will}`, ...more].join('; '));
  } finally {
    reader.close();
  }
}
