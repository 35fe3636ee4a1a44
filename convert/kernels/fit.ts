import type { Shape } from '../shapes.ts';

/**
 * What TensorFlow.js leaves to its kernels to check. Recorded, nothing would say so before onnxruntime opens the file.
 * @throws Error where shapes do not fit.
 */
export function requireFit(fits: boolean, kernel: string, reason: string, ...shapes: Shape[]): void {
  if (fits) return;
  throw new Error(`${kernel} of shapes ${shapes.map((shape) => `[${shape}]`).join(' and ')}: ${reason}`);
}
