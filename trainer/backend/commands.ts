/** `trainer backend install|list`. */
import { Argument, type Command } from 'commander';
import { MEASURED } from './child/net.ts';
import { installBackend } from './install.ts';
import { formatBackends, listBackends } from './list.ts';
import { PINS, type TensorFlowBackend } from './pins.ts';
import type { Machine } from './prerequisites.ts';

/** What the composition root knows and these commands need. */
export interface BackendContext {
  /** Cache folder, from `cacheFolder`. */
  cache: string;
  machine: Machine;
  environment: Readonly<Record<string, string | undefined>>;
  /** Writes a result, to standard output. */
  print: (text: string) => void;
  /** Writes progress, to standard error. */
  report: (text: string) => void;
  /** Ends what is running, as on Ctrl-C. */
  signal?: AbortSignal | undefined;
}

/** How long `list` measures each backend, seconds: with start-up and warming up about 6 for each. */
const MEASURE_SECONDS = 3;

/** Adds the command `backend` to the trainer's. Failures are thrown as BackendError. */
export function addBackendCommands(program: Command, context: BackendContext): void {
  const backend = program
    .command('backend')
    .description('training backends: what is here, and installing a faster one');
  backend
    .command('install')
    .description('install a TensorFlow backend into the cache folder, hashes checked')
    .addArgument(new Argument('<name>', 'which one').choices(Object.keys(PINS)))
    .action((name: TensorFlowBackend) => install(name, context));
  backend
    .command('list')
    .description('tell what is here, what each backend needs, and how fast it trains here')
    .option('--json', 'as one line of JSON', false)
    .action(({ json }: { json: boolean }) => list(json, context));
}

async function install(backend: TensorFlowBackend, context: BackendContext): Promise<void> {
  const { cache, machine, environment, print, report, signal } = context;
  const progress = (step: number, steps: number, what: string) => report(`[${step}/${steps}] ${what}\n`);
  const { folder, fresh, device } = await installBackend({
    backend,
    cache,
    machine,
    environment,
    progress,
    signal,
  });
  print(`${backend} ${fresh ? 'is installed' : 'was already installed'} in ${folder}: ${device}\n`);
}

async function list(json: boolean, context: BackendContext): Promise<void> {
  const { cache, environment, print, report, signal } = context;
  if (!json) report(`measuring training on ${MEASURED}\n`);
  const list = await listBackends({ cache, environment, seconds: MEASURE_SECONDS, signal });
  print(json ? `${JSON.stringify(list)}\n` : `${formatBackends(list)}\n`);
}
