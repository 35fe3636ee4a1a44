/** A program that is killed again and again, and always started anew. */
import { readFileSync } from 'node:fs';
import { type AgentProcess, startAgent } from '../../test/support/agent.ts';

/** More ends than that are no accident. */
const MOST_CRASHES = 50;

export interface Kept {
  /** Kills it with SIGKILL and starts it again. */
  kill(): Promise<void>;
  /** Kills one of its scoring processes; false: it has none now. */
  killScorer(choose: () => number): boolean;
  /** Resolves when the process that runs now has said that it is ready. */
  ready(): Promise<void>;
  /** Ends that nobody asked for, with what it wrote last. */
  readonly crashes: readonly string[];
  /** What all its lives wrote. */
  output(): string;
  /** Ends it with SIGTERM; its exit code or signal. */
  stop(): Promise<number | string>;
}

/** @param start starts it. @param isReady tells by its output. */
export function keepRunning(start: () => AgentProcess, isReady: (output: string) => boolean): Kept {
  const crashes: string[] = [];
  const lives: AgentProcess[] = [];
  let expected: AgentProcess | null = null;
  const begin = (): AgentProcess => {
    const begun = start();
    lives.push(begun);
    void begun.ended.then((end) => {
      if (expected === begun) return;
      crashes.push(`ended with ${end}: ${begun.output().slice(-2000)}`);
      if (crashes.length > MOST_CRASHES) throw new Error(`It ends again and again: ${crashes.at(-1)}`);
      current = begin();
    });
    return begun;
  };
  let current = begin();
  const end = async (signal: NodeJS.Signals) => {
    expected = current;
    current.child.kill(signal);
    return expected.ended;
  };
  return {
    async kill() {
      await end('SIGKILL');
      current = begin();
    },
    killScorer(choose) {
      const children = scorersOf(current.pid);
      if (children.length === 0) return false;
      try {
        process.kill(children[Math.floor(choose() * children.length)]!, 'SIGKILL');
        return true;
      } catch {
        return false; // gone meanwhile
      }
    },
    async ready() {
      const asked = current;
      while (asked === current && !isReady(asked.output()))
        await Promise.race([
          asked.ended,
          new Promise((resolve) => asked.child.stdout!.once('data', resolve)),
        ]);
    },
    crashes,
    output: () => lives.map((life) => life.output()).join(''),
    stop: () => end('SIGTERM'),
  };
}

/** The agent with `args`. */
export function keepAgent(args: readonly string[], environment: Record<string, string>): Kept {
  return keepRunning(
    () => startAgent(args, environment),
    (output) => output.includes('"msg":"ready"'),
  );
}

/** The scoring processes of the agent `pid`, by the kernel's own account. */
export function scorersOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    // Before the agent itself runs, its launcher has children of its own.
    return children
      .map(Number)
      .filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('scorers'));
  } catch {
    return []; // ended meanwhile
  }
}
