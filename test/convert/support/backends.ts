import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers TensorFlow.js' gradients
import { type OnnxBackend, type OnnxBackendOptions, registerOnnxBackend } from '../../../convert/backend.ts';

/** Silences TensorFlow.js' advertisement of its node backend, registers the backend under test and selects it. */
export async function useOnnx(options: OnnxBackendOptions = {}): Promise<OnnxBackend> {
  tf.env().set('PROD', true);
  const current = registerOnnxBackend(options);
  await tf.setBackend(options.name ?? 'onnx');
  return current();
}
