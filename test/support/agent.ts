/** The real agent as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export const AGENT = path.join(import.meta.dirname, '../../node_modules/.bin/agent');

export interface AgentProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything it wrote so far. */
  readonly output: () => string;
  /** Exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** Starts `agent <args>`; killed when the process that runs the test ends. */
export function startAgent(args: readonly string[], environment: Record<string, string> = {}): AgentProcess {
  return startProgram(AGENT, args, environment);
}

/** The same with any program. */
export function startProgram(
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): AgentProcess {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  const ended = once(child, 'exit').then(([code, signal]) => {
    process.off('exit', killed);
    return (code ?? signal) as number | string;
  });
  return { child, pid: child.pid!, output: () => output, ended };
}

/** Runs `agent <args>` to its end. */
export async function runAgent(
  args: readonly string[],
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const child = spawn(AGENT, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, 'close');
  return { code: code ?? signal, stdout, stderr };
}
