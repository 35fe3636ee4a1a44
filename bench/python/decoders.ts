/** Which way to decode is the fastest in Python here. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pythonScript } from './environment.ts';

/** Median milliseconds from file to 128x128 RGB, by each way that `agent.py` has. */
export async function decodersOf(interpreter: string, picture: string): Promise<Record<string, number>> {
  const { stdout } = await promisify(execFile)(interpreter, [pythonScript('agent.py'), 'decoders', picture]);
  return JSON.parse(stdout);
}
