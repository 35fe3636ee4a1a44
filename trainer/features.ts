/** What a frozen encoder makes of the images, computed once and kept. */
import { TrainerError } from './error.ts';
import type { FrozenEncoder } from './models/autoencoder.ts';

/** uint8 `[height, width, channels]`, or `[frames, height, width, channels]`. */
export interface Picture {
  readonly pixels: Uint8Array;
}

/** float32 `[...outputShape]` of each picture. */
export type Features = ReadonlyMap<Picture, Float32Array>;

/** Bytes of features that are kept in memory at most. */
const LIMIT = 2 * 2 ** 30;

/**
 * Features of all pictures; `onPicture` is told the bytes that they take in all.
 * @throws TrainerError when they would take more than 2 GiB.
 */
export async function computeFeatures(
  encoder: FrozenEncoder,
  pictures: readonly Picture[],
  onPicture: (count: number, bytes: number) => void,
): Promise<Features> {
  const bytes = featureBytes(encoder, pictures.length);
  const values = await encoder.encodeAll(
    pictures.map(({ pixels }) => pixels),
    () => onPicture(pictures.length, bytes),
  );
  return new Map(pictures.map((picture, i) => [picture, values[i]!]));
}

function featureBytes({ outputShape }: FrozenEncoder, count: number): number {
  const each = outputShape.reduce((product, size) => product * size, 1) * Float32Array.BYTES_PER_ELEMENT;
  if (each * count <= LIMIT) return each * count;
  throw new TrainerError(
    `The encoder's features [${outputShape.join(', ')}] of ${count} images take ${gibibytes(each * count)} of memory; ${gibibytes(LIMIT)} are allowed. Choose a later tap (--set model.tap=...), a smaller input (--set input.width=... --set input.height=...) or fewer images (${Math.floor(LIMIT / each)} fit).`,
  );
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
