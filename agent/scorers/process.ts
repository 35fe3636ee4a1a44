/** One scoring process, seen from the agent. */
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '../../config/bundle.ts';
import type { Inspection } from '../inspect/inspection.ts';
import type { FromScorer, Load, ToScorer } from './messages.ts';

/** Longest time for loading a bundle, milliseconds. */
const STARTUP = 120_000;
/** Characters kept of what the process wrote to its standard error last. */
const LAST_WORDS = 2000;

export interface ScorerEvents {
  readonly onReady: (manifest: Manifest) => void;
  /** The file in work was read and decoded. */
  readonly onDecoded: () => void;
  readonly onInspected: (inspection: Inspection) => void;
  /** The process is gone, for whatever reason; called once, last. */
  readonly onEnd: (end: ScorerEnd) => void;
}

export interface ScorerEnd {
  /** Why, in words. */
  readonly message: string;
  /** Whether the bundle was refused: the message is about the bundle then. */
  readonly bundle: boolean;
  /** Whether it was short of descriptors or memory, for which no file is to blame. */
  readonly shortage: boolean;
  /** What it wrote to its standard error last. */
  readonly lastWords: string;
}

export interface ScorerProcess {
  readonly pid: number | undefined;
  inspect(file: string | Buffer, frame: number): void;
  kill(): void;
}

/** Forks a scoring process and has it load the bundle. */
export function forkScorer(load: Omit<Load, 'type'>, events: ScorerEvents): ScorerProcess {
  const child: ChildProcess = fork(entry(), {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said: Omit<ScorerEnd, 'lastWords'> | null = null;
  let lastWords = '';
  let ended = false;
  const send = (message: ToScorer) => child.send(message, () => {}); // a failure shows as its end
  const kill = () => void child.kill('SIGKILL');
  const startup = setTimeout(() => {
    said = {
      message: `The scoring process did not load the bundle within ${STARTUP / 1000} s.`,
      bundle: false,
      shortage: false,
    };
    kill();
  }, STARTUP);

  const end = (message: string) => {
    if (ended) return;
    ended = true;
    clearTimeout(startup);
    events.onEnd({ ...(said ?? { message, bundle: false, shortage: false }), lastWords });
  };
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS);
  });
  child.on('message', (message: FromScorer) => {
    if (ended) return;
    if (message.type === 'ready') {
      clearTimeout(startup);
      events.onReady(message.manifest);
    } else if (message.type === 'decoded') events.onDecoded();
    else if (message.type === 'inspected') events.onInspected(message.inspection);
    else if (message.type === 'refused' || message.type === 'failed') {
      said = {
        message: message.message,
        bundle: message.type === 'refused' && message.bundle,
        shortage: message.type === 'failed' && message.shortage,
      };
      kill();
    }
    // Anything else is of another version: an update replaces files beneath a running agent, which starts new children.
  });
  child.on('error', (error) => {
    if (child.pid === undefined) end(`The scoring process cannot be started: ${error.message}.`);
  });
  child.on('exit', (code, signal) =>
    end(`The scoring process ended (${signal === null ? `exit code ${code}` : `signal ${signal}`}).`),
  );
  send({ type: 'load', ...load });
  return { pid: child.pid, inspect: (file, frame) => void send({ type: 'inspect', file, frame }), kill };
}

/** Beside this module, with its own ending: .ts in the repository, .js in a build. */
function entry(): string {
  const here = fileURLToPath(import.meta.url);
  return path.join(path.dirname(here), `child${path.extname(here)}`);
}
