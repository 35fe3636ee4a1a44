/** Bytes of saved weights. */
import type { io } from '@tensorflow/tfjs-core';

const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

/** What a weight takes in its file; NaN for strings, whose lengths differ. */
export function bytesOf({ dtype, quantization, shape }: io.WeightsManifestEntry): number {
  return shape.reduce((a, b) => a * b, 1) * (BYTES[quantization?.dtype ?? dtype] ?? Number.NaN);
}

/**
 * @throws Error when the weight files of a group of weights hold another number of bytes than `file` says: all that comes
 * behind would be read from the wrong place.
 */
export function requireWhole(
  file: string,
  { paths, weights }: io.WeightsManifestConfig[number],
  bytes: number,
): void {
  const wanted = weights.reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (Number.isNaN(wanted) || bytes === wanted) return;
  const likely = bytes < wanted ? 'one was cut off' : 'they are of another model, or were written to twice';
  throw new Error(
    `${paths.join(', ')} of ${file}: expected ${wanted} bytes of weights, came ${bytes}: ${likely}. Copy the model again`,
  );
}
