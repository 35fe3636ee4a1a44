/** `trainer encoder list|install|show`. */
import * as tf from '@tensorflow/tfjs-core';
import { type Command, Option } from 'commander';
import { EncoderError } from './error.ts';
import {
  findKnown,
  type InstalledEncoder,
  type InstallSurroundings,
  installKnown,
  installModel,
} from './install.ts';
import { describeEncoder, formatList, listEncoders } from './list.ts';
import { SCALINGS, type Scaling } from './network.ts';

/** What the composition root knows and these commands need. */
export interface EncoderContext extends Omit<InstallSurroundings, 'progress'> {
  /** Writes a result, to standard output. */
  readonly print: (text: string) => void;
  /** Writes progress, to standard error. */
  readonly report: (text: string) => void;
}

/** Adds the command `encoder` to the trainer's. Failures are thrown as EncoderError. */
export function addEncoderCommands(program: Command, context: EncoderContext): void {
  const encoder = program
    .command('encoder')
    .description('pretrained encoders: what there is, where each comes from, and installing one');
  encoder
    .command('list')
    .description('tell which are known by name and which are installed')
    .option('--json', 'as one line of JSON', false)
    .action(async ({ json }: { json: boolean }) => {
      const list = await listEncoders(context.cache);
      context.print(json ? `${JSON.stringify(list)}\n` : `${formatList(list)}\n`);
    });
  encoder
    .command('install <name|path|url>')
    .description(
      'install into the cache folder: by name, digest checked, or a model of your own under a name',
    )
    .option('--from <path>', 'of a known name: take this wheel or model instead of fetching one')
    .option('--as <name>', 'of a path or URL: the name to use it by')
    .addOption(
      new Option('--scaling <name>', 'of a path or URL: what it expects pixels to be').choices(
        Object.keys(SCALINGS),
      ),
    )
    .option('--licence <text>', 'of a path or URL: told in every bundle made with it')
    .action((what: string, options: InstallFlags) => install(what, options, context));
  encoder
    .command('show <name|path|url>')
    .description('tell its taps, input size and scaling, source, licence and SHA-256; installs it if need be')
    .option('--json', 'as one line of JSON', false)
    .action(async (what: string, { json }: { json: boolean }) => {
      tf.env().set('PROD', true); // else TensorFlow.js advises to install tfjs-node
      const shown = await describeEncoder(what, surroundingsOf(context));
      context.print(json ? `${JSON.stringify(shown)}\n` : `${shown.lines.join('\n')}\n`);
    });
}

interface InstallFlags {
  from?: string;
  as?: string;
  scaling?: Scaling;
  licence?: string;
}

async function install(what: string, flags: InstallFlags, context: EncoderContext): Promise<void> {
  const { folder, description, fresh } = await installed(what, flags, surroundingsOf(context));
  const name = description.name ?? what;
  context.print(
    `${name} ${fresh ? 'is installed' : 'was already installed'} in ${folder}\n` +
      `SHA-256 ${description.sha256}, licence: ${description.licence}\n`,
  );
}

function installed(
  what: string,
  flags: InstallFlags,
  surroundings: InstallSurroundings,
): Promise<InstalledEncoder> {
  const { from, as: name, scaling, licence } = flags;
  const known = findKnown(what);
  if (known !== undefined) {
    if (name !== undefined || scaling !== undefined || licence !== undefined)
      throw new EncoderError(
        `${what} is known: its name, scaling and licence are not for you to say. Leave those options out.`,
      );
    return installKnown(known, from, surroundings);
  }
  if (from !== undefined)
    throw new EncoderError(
      `${what} is no known name; to install your own model: trainer encoder install ${from} --as ${what}.`,
    );
  if (name !== undefined && findKnown(name) !== undefined)
    throw new EncoderError(
      `${name} is the name of a known encoder: trainer encoder install ${name} --from ${what}.`,
    );
  return installModel(what, { scaling, ...(name && { name }), ...(licence && { licence }) }, surroundings);
}

/** Tells every quarter of a download, once. */
function surroundingsOf(context: EncoderContext): InstallSurroundings {
  let told = -1;
  const progress = (name: string, received: number, total: number) => {
    const quarter = total > 0 ? Math.floor((4 * received) / total) : Math.floor(received / 8e6);
    if (quarter === told) return;
    told = quarter;
    const share = total > 0 ? ` of ${(total / 1e6).toFixed(1)}` : '';
    context.report(`${name}: ${(received / 1e6).toFixed(1)}${share} MB\n`);
  };
  return { ...context, progress };
}
