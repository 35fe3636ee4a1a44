/** The folder of one run: what it is called in there, and whether a run may start or go on. */
import { createHash } from 'node:crypto';
import { access, constants, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../config/folder.ts';
import type { Recipe } from '../config/recipe.ts';
import { writeAtomically } from '../convert/files.ts';
import type { SelectedBackend } from './backend/select.ts';
import { TrainerError } from './error.ts';

/** Of `run.json`; 1 did not name the backend. */
export const FORMAT = 2;

/** What decided a run, as typed and as resolved; `--resume` starts from it. */
export interface RunRecord {
  readonly format: typeof FORMAT;
  readonly recipe: Recipe;
  readonly seed: number;
  /** What TensorFlow.js ran on. */
  readonly backend: RunBackend;
  /** Whether the bundle is to be in 8-bit integers. Older runs do not say: no. */
  readonly quantize?: boolean;
}

export type RunBackend = Pick<SelectedBackend, 'got' | 'library' | 'device'>;

/** Files of a run. */
export function runFiles(folder: string) {
  const inside = (name: string) => path.join(folder, name);
  return {
    record: inside('run.json'),
    split: inside('split.json'),
    checkpoint: inside('checkpoint.bin'),
    model: inside('model'),
    bundle: inside('bundle.onnx'),
    metrics: inside('metrics.json'),
    report: inside('report.html'),
  };
}

/**
 * Makes the folder, unless a run is in it: a run is continued when asked for, never overwritten.
 * @returns the record of the run to continue, or null; and the folders that were made.
 * @throws TrainerError when a run is there and was not asked for, or the other way round, or nothing can be written.
 */
export async function openRunFolder(
  folder: string,
  resume: boolean,
): Promise<{ readonly before: RunRecord | null; readonly made: readonly string[] }> {
  const files = runFiles(folder);
  if (resume) {
    const text = await readFile(files.record, 'utf8').catch((cause) => {
      throw new TrainerError(
        `${folder} holds no run to resume (no run.json). Leave out --resume to start one.`,
        { cause },
      );
    });
    const record: RunRecord = JSON.parse(text);
    if (record.format !== FORMAT)
      throw new TrainerError(
        `The run in ${folder} was begun by another release of the trainer (run.json has format ${record.format}, this one writes ${FORMAT}). Start again with another --out.`,
      );
    return { before: record, made: [] };
  }
  for (const file of Object.values(files))
    if (await exists(file))
      throw new TrainerError(
        `${folder} holds a run already (${path.basename(file)}). Continue it with --resume, choose another --out, or delete the folder: a run is never overwritten.`,
      );
  try {
    const made = await makeFolder(folder);
    await access(folder, constants.W_OK);
    return { before: null, made };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new TrainerError(`The folder ${folder} cannot be written (${code}). Choose another --out.`, {
      cause,
    });
  }
}

type Settings = Pick<RunRecord, 'recipe' | 'seed'>;

/**
 * Refuses to resume with another recipe or seed. The number of epochs may change: a run can be made longer.
 * @throws TrainerError naming what differs.
 */
export function requireSameRun(before: Settings, now: Settings): void {
  const settings = (run: Settings) =>
    new Map(flatten({ ...run.recipe, epochs: null, $schema: null, seed: run.seed }));
  const [old, wanted] = [settings(before), settings(now)];
  const keys = [...new Set([...old.keys(), ...wanted.keys()])].filter((k) => old.get(k) !== wanted.get(k));
  if (keys.length === 0) return;
  const said = keys.map((k) => `${k} was ${old.get(k) ?? 'not set'}, now ${wanted.get(k) ?? 'not set'}`);
  throw new TrainerError(
    `This is not the run that was begun: ${said.join('; ')}. Leave these options out, or choose another --out.`,
  );
}

/**
 * Refuses to resume on other images, or the same ones divided otherwise. A run without a split.json had not begun.
 * @param digest of the images as they are divided now.
 * @throws TrainerError
 */
async function requireSameImages(folder: string, digest: string): Promise<void> {
  const text = await readFile(runFiles(folder).split, 'utf8').catch(() => null);
  if (text === null || (JSON.parse(text) as { digest: string }).digest === digest) return;
  throw new TrainerError(
    `This is not the run that was begun: its images (split.json in ${folder}) are others than those that were found now. Give the folder of images as it was, or choose another --out.`,
  );
}

/**
 * Refuses to resume on another backend, or on the same one with another library or device under it: each rounds in its
 * own way.
 * @throws TrainerError naming both.
 */
function requireSameBackend(before: RunBackend, now: RunBackend): void {
  const say = ({ got, library, device }: RunBackend) => `${got} (${library} on the ${device})`;
  if (say(before) === say(now)) return;
  const advice = before.got === now.got ? 'Go on where it began' : `Go on with --backend ${before.got}`;
  throw new TrainerError(
    `This run was begun on the backend ${say(before)} and would go on on ${say(now)}: its results would not be bit for bit those of one backend. ${advice}, or choose another --out.`,
  );
}

/**
 * Refuses to go on with another backend or other images than those of the run in `folder`.
 * @param digest of the images as they are divided now.
 * @throws TrainerError naming what differs.
 */
export async function requireSameGround(
  before: RunRecord,
  now: RunRecord,
  folder: string,
  digest: string,
): Promise<void> {
  requireSameBackend(before.backend, now.backend);
  await requireSameImages(folder, digest);
}

/** Digest of everything that decides how training goes on, but for the number of epochs. */
export function fingerprintOf(run: RunRecord, split: unknown): string {
  const { recipe, seed, backend } = run;
  const settings = flatten({ ...recipe, epochs: null, $schema: null, seed });
  return createHash('sha256').update(JSON.stringify({ settings, split, backend })).digest('hex');
}

export const writeJson = (file: string, content: unknown): Promise<void> =>
  writeAtomically(file, `${JSON.stringify(content, null, 2)}\n`);

function flatten(value: unknown, prefix = ''): [string, string][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return [[prefix, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, child]) =>
    flatten(child, prefix === '' ? key : `${prefix}.${key}`),
  );
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
