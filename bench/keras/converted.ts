/** What Python wrote, converted by the command and run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { runCommand } from '../../trainer/backend/command.ts';

const CONVERT = fileURLToPath(new URL('../../convert/bin/convert', import.meta.url));

/** @throws Error with what the command wrote to standard error. */
export async function convertByCommand(folder: string, out: string): Promise<void> {
  await runCommand(CONVERT, [join(folder, 'model.json'), '--out', out]);
}

/** The first output for one input of shape `dims`. */
export async function runOnnx(
  model: string,
  image: Float32Array,
  dims: readonly number[],
): Promise<Float32Array> {
  const session = await InferenceSession.create(model, { logSeverityLevel: 3 });
  try {
    const results = await session.run({ [session.inputNames[0]!]: new Tensor('float32', image, dims) });
    return results[session.outputNames[0]!]!.data as Float32Array;
  } finally {
    await session.release();
  }
}

export async function readFloats(path: string): Promise<Float32Array> {
  return new Float32Array(new Uint8Array(await readFile(path)).buffer);
}
