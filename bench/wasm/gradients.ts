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

/**
 * A convolution with rows and columns of dy as the window: x as [I, H + 2, W + 2, N], N its channels, with dy as
 * the filter [H, W, N, O] gives [I, 3, 3, O].
 */
function convolutionFilterGradient(x: tf.Tensor4D, dy: tf.Tensor4D): tf.Tensor4D {
  const padded = tf.pad(tf.transpose(x, [3, 1, 2, 0]), [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const gradient = tf.conv2d(padded, tf.transpose<tf.Tensor4D>(dy, [1, 2, 0, 3]), 1, 'valid');
  return tf.transpose(gradient, [1, 2, 0, 3]);
}

/** dy goes to the largest of each 2x2 window (to all of them where several are equal). */
function maxPoolGradient(x: tf.Tensor4D, y: tf.Tensor4D, dy: tf.Tensor4D): tf.Tensor4D {
  const size: [number, number] = [x.shape[1], x.shape[2]];
  const chosen = tf.cast(tf.equal(x, tf.image.resizeNearestNeighbor(y, size)), 'float32');
  return tf.mul(tf.image.resizeNearestNeighbor(dy, size), chosen);
}
