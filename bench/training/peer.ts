/** One trainer under measurement: a process that trains when asked, and idles while the others are asked. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A request, one line of JSON on the peer's standard input. */
export type PeerRequest =
  /** Train on the batches in order for `steps` steps and give the loss of each, before its update. */
  | { losses: number }
  /** Train until `seconds` have passed, whole steps. */
  | { seconds: number };

export interface Timing {
  images: number;
  /** Wall clock. */
  seconds: number;
  /** Processor time of the whole process, all threads together. */
  processorSeconds: number;
}

/** Runs a peer's program; it answers every line on standard input with one line on standard output. */
export class Peer {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: Interface;
  #errors = '';

  constructor(
    name: string,
    command: readonly [program: string, ...args: string[]],
    environment: Readonly<Record<string, string | undefined>>,
  ) {
    this.name = name;
    const [program, ...args] = command;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...environment } });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.#lines = createInterface({ input: this.#child.stdout });
  }

  /** Trains and measures. @throws Error with the end of its standard error when the process has ended. */
  async time(seconds: number): Promise<Timing> {
    return (await this.#ask({ seconds })) as Timing;
  }

  /** Trains `steps` steps and gives the loss of each. */
  async losses(steps: number): Promise<number[]> {
    return (await this.#ask({ losses: steps })) as number[];
  }

  /** Ends the process, and comes back when it has ended. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  async #ask(request: PeerRequest): Promise<unknown> {
    const answer = Promise.withResolvers<string>();
    const onClose = () => answer.reject(new Error(`${this.name} ended:\n${this.#errors.slice(-2000)}`));
    this.#lines.once('line', answer.resolve);
    this.#child.once('close', onClose);
    try {
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
      return JSON.parse(await answer.promise);
    } finally {
      this.#lines.off('line', answer.resolve);
      this.#child.off('close', onClose);
    }
  }
}
