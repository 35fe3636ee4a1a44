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

/** @throws Error when `file` names more weights than its weight files hold. */
export function requireWhole(file: string, specs: readonly io.WeightsManifestEntry[], bytes: number): void {
  const wanted = specs.reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (bytes < wanted)
    throw new Error(
      `the weight files of ${file} hold ${bytes} bytes, its weights take ${wanted}: one was cut off; copy the model again`,
    );
}
