/** Runs the agent until it ends itself by SIGKILL at a fault point. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { FaultPointName } from '../../agent/faultPoints.ts';

/** @param time it dies when it comes to the point for this time, from 1. */
export async function endsAt(point: FaultPointName, time: number, args: readonly string[]): Promise<void> {
  const program = path.join(import.meta.dirname, 'faultingAgent.ts');
  const agent = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, point, `${time}`, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [agent.stdout, agent.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const [code, signal] = await once(agent, 'exit');
  assert.equal(code ?? signal, 'SIGKILL', `${point} was never reached:\n${output}`);
}
