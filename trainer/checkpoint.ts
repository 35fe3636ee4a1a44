/** The state of training after an epoch, in one file that is either whole or not there. */
import { readFile } from 'node:fs/promises';
import { writeAtomically } from '../convert/files.ts';
import { TrainerError } from './error.ts';

/** Values of one tensor. */
export interface Values {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  readonly data: Float32Array | Int32Array;
}

export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Mean over the training images, while training went on. */
  readonly loss: number;
  /** Mean over the validation images, after the epoch. */
  readonly validationLoss: number;
  readonly seconds: number;
  /** Mean scores of labelled images after the epoch, for people to see: they choose nothing. null: none were given. */
  readonly labelled: { readonly good: number; readonly poor: number } | null;
}

export interface Checkpoint {
  /** Digest of everything that decides how training goes on; see `run-folder.ts`. */
  readonly fingerprint: string;
  readonly history: readonly EpochRecord[];
  readonly best: { readonly epoch: number; readonly validationLoss: number };
  readonly weights: readonly Values[];
  readonly optimizer: readonly Values[];
  readonly bestWeights: readonly Values[];
}

const GROUPS = ['weights', 'optimizer', 'bestWeights'] as const;
const MAGIC = 'plumbline checkpoint 1\n';

/** Layout: magic line, length of the header as 32 bits, header as JSON, then the values of all tensors. */
export async function writeCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  const tensors = GROUPS.flatMap((group) => checkpoint[group].map((values) => ({ group, ...values })));
  const { fingerprint, history, best } = checkpoint;
  const header = Buffer.from(
    JSON.stringify({
      fingerprint,
      history,
      best,
      tensors: tensors.map(({ group, name, shape, dtype }) => ({ group, name, shape, dtype })),
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const data = tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  await writeAtomically(file, Buffer.concat([Buffer.from(MAGIC), length, header, ...data]));
}

/**
 * The checkpoint in `file`, or null when there is none.
 * @throws TrainerError when the file is something else or belongs to another run.
 */
export async function readCheckpoint(file: string, fingerprint: string): Promise<Checkpoint | null> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    throw cause;
  });
  if (bytes === null) return null;
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new TrainerError(`${file} is no checkpoint of this trainer. Start again with another --out.`);
  const headerStart = MAGIC.length + 4;
  const dataStart = headerStart + bytes.readUInt32LE(MAGIC.length);
  const header = JSON.parse(bytes.toString('utf8', headerStart, dataStart));
  if (header.fingerprint !== fingerprint)
    throw new TrainerError(
      `${file} belongs to another run: the images, their split, the recipe, the seed or the backend are not what they were. Use what was used then, or start again with another --out.`,
    );
  const groups: Record<(typeof GROUPS)[number], Values[]> = { weights: [], optimizer: [], bestWeights: [] };
  let offset = dataStart;
  for (const { group, name, shape, dtype } of header.tensors as (Values & {
    group: (typeof GROUPS)[number];
  })[]) {
    const count = shape.reduce((product, size) => product * size, 1);
    const copy = new Uint8Array(bytes.subarray(offset, offset + 4 * count)).buffer;
    const data = dtype === 'int32' ? new Int32Array(copy) : new Float32Array(copy);
    groups[group].push({ name, shape, dtype, data });
    offset += 4 * count;
  }
  return { fingerprint, history: header.history, best: header.best, ...groups };
}
