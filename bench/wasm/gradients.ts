/**
 * Gradients that the WebAssembly backend 4.22.0 lacks, written with operations that it has and runs fast.
 *
 * It has no kernel for the filter gradient of a convolution, max pooling's gradient comes out wrong without an
 * error, and the input gradient is a plain loop. Each is replaced by forward operations that it runs through XNNPACK.
 * Only what the fundus net needs: 3x3 convolutions, stride 1, `same`; 2x2 max pooling; doubling.
 */
import * as tf from '@tensorflow/tfjs-core';

/** Puts the four kernels in the place of the backend's own. The backend must be loaded. */
export function registerWasmGradients(): void {
  replace('Conv2DBackpropFilter', ({ x, dy }) => convolutionFilterGradient(x!, dy!));
  replace('Conv2DBackpropInput', ({ dy, filter }) => convolutionInputGradient(dy!, filter!));
  replace('MaxPoolGrad', ({ input, output, dy }) => maxPoolGradient(input!, output!, dy!));
  replace('ResizeNearestNeighborGrad', ({ dy }) => tf.mul(tf.avgPool(dy!, 2, 2, 'valid'), 4));
}

function replace(kernelName: string, gradient: (inputs: Record<string, tf.Tensor4D>) => tf.Tensor): void {
  const backendName = 'wasm';
  if (tf.getKernel(kernelName, backendName) !== undefined) tf.unregisterKernel(kernelName, backendName);
  // What the engine hands to a kernel as tensor information are the tensors themselves.
  const kernelFunc: tf.KernelFunc = ({ inputs }) =>
    tf.tidy(() => gradient(inputs as Record<string, tf.Tensor4D>));
  tf.registerKernel({ kernelName, backendName, kernelFunc });
}

/** A convolution of dy [N, H, W, O] with the filter [3, 3, I, O] turned by 180 degrees, channels exchanged. */
function convolutionInputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D {
  return tf.conv2d(dy, tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]), 1, 'same');
}

/** Nine matrix products [I, N*H*W] x [N*H*W, O] of the shifted x [N, H, W, I] with dy -> [3, 3, I, O]. */
function convolutionFilterGradient(x: tf.Tensor4D, dy: tf.Tensor4D): tf.Tensor4D {
  const [n, height, width, inputs] = x.shape;
  const outputs = dy.shape[3];
  const padded = tf.pad(x, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const rows = tf.reshape(dy, [-1, outputs]);
  const taps: tf.Tensor[] = [];
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      const shifted = tf.reshape(tf.slice(padded, [0, i, j, 0], [n, height, width, inputs]), [-1, inputs]);
      taps.push(tf.matMul(tf.transpose(shifted), rows));
    }
  }
  return tf.reshape(tf.stack(taps), [3, 3, inputs, outputs]);
}

/** dy goes to the largest of each 2x2 window (to all of them where several are equal). */
function maxPoolGradient(x: tf.Tensor4D, y: tf.Tensor4D, dy: tf.Tensor4D): tf.Tensor4D {
  const size: [number, number] = [x.shape[1], x.shape[2]];
  const chosen = tf.cast(tf.equal(x, tf.image.resizeNearestNeighbor(y, size)), 'float32');
  return tf.mul(tf.image.resizeNearestNeighbor(dy, size), chosen);
}
