import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from '../../../convert/backend.ts';
import { KERNELS } from '../../../convert/kernels/table.ts';

/** The names of all kernels that the backend has recorded, from now on; kernels computed on the host do not count. */
export function watchRecords(onnx: OnnxBackend): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const kernelName of Object.keys(KERNELS)) {
    const config = tf.getKernel(kernelName, 'onnx');
    tf.unregisterKernel(kernelName, 'onnx');
    const kernelFunc: tf.KernelFunc = (args) => {
      const before = onnx.statistics.records;
      const result = config.kernelFunc(args);
      if (onnx.statistics.records > before) seen.add(kernelName);
      return result;
    };
    tf.registerKernel({ ...config, kernelFunc });
  }
  return seen;
}

/** Whether a kernel computes a gradient. */
export function isGradient(kernel: string): boolean {
  return /Grad$|Backprop/.test(kernel);
}
