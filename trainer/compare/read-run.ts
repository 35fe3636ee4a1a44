/** What a run or an evaluation folder tells of its test. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { TrainerError } from '../error.ts';
import { runFiles } from '../run-folder.ts';

const imageSchema = z.object({
  name: z.string(),
  sha256: z.string(),
  label: z.enum(['good', 'poor']),
  score: z.number(),
  verdict: z.enum(['pass', 'review']),
  group: z.string().nullable(),
});

const metricsSchema = z.object({
  format: z.literal(1),
  seed: z.int(),
  bundle: z.object({ name: z.string(), digest: z.string() }),
  evaluation: z.object({ images: z.array(imageSchema) }).nullable(),
});

export type TestedImage = z.infer<typeof imageSchema>;

export interface TestedRun {
  /** As given. */
  readonly folder: string;
  /** Of the bundle. */
  readonly model: string;
  readonly digest: string;
  readonly seed: number;
  readonly images: readonly TestedImage[];
}

/**
 * Reads `metrics.json` of a folder (or that file itself).
 * @throws TrainerError when there is none, when it is of something else, or when it holds no test.
 */
export async function readTestedRun(given: string): Promise<TestedRun> {
  const isFolder = await stat(given).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const file = isFolder ? runFiles(given).metrics : given;
  const result = metricsSchema.safeParse(await readJson(file, given));
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new TrainerError(
      `${file} is no metrics file of this trainer: ${issue.path.join('.')}: ${issue.message}. Was it written by an older trainer? Evaluate the bundle again: trainer evaluate ${path.join(path.dirname(file), 'bundle.onnx')} --good DIR --bad DIR`,
    );
  }
  const { seed, bundle, evaluation } = result.data;
  if (evaluation === null || evaluation.images.length === 0)
    throw new TrainerError(
      `${given} holds no test: its model was not tried on labelled images. Evaluate its bundle first, on the images of the other runs: trainer evaluate ${path.join(given, 'bundle.onnx')} --good DIR --bad DIR`,
    );
  return { folder: given, model: bundle.name, digest: bundle.digest, seed, images: evaluation.images };
}

async function readJson(file: string, given: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new TrainerError(
      code === undefined
        ? `${file} is no JSON.`
        : `${given} holds no metrics.json (${code}). Give folders that trainer fit or trainer evaluate wrote.`,
      { cause },
    );
  }
}
