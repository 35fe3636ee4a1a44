import { createRequire } from 'node:module';
import type { InferenceSession, Tensor } from 'onnxruntime-node';

/** A loaded model inside onnxruntime. It owns native memory: dispose of it. */
export interface Session {
  /** Runs the model and blocks until it is done. */
  run(feeds: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Readonly<Record<string, Tensor>>;
  dispose(): void;
}

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  run(feeds: object, fetches: Record<string, null>, options: object): Record<string, Tensor>;
  dispose(): void;
}

interface NativeBinding {
  initOrt(): void;
  binding: { InferenceSession: new () => NativeSession };
}

/**
 * Loads a serialised model through onnxruntime-node's own binding instead of its public `InferenceSession`.
 *
 * TensorFlow.js' `dataSync()` needs a result before it returns, and the public `run()` only gives a promise, although
 * in version 1.30.0 all it does is call this very binding from `setImmediate` (onnxruntime-node/dist/backend.js); the
 * work blocks the thread either way. The binding is not documented, so onnxruntime-node is pinned to exactly that
 * version in package.json: read dist/binding.js again before changing it.
 */
export function loadSession(model: Uint8Array, options: InferenceSession.SessionOptions): Session {
  const require = createRequire(import.meta.url);
  const native = require('onnxruntime-node/dist/binding.js') as NativeBinding;
  native.initOrt();
  const session = new native.binding.InferenceSession();
  session.loadModel(model.buffer, model.byteOffset, model.byteLength, options);
  return {
    run: (feeds, outputs) => session.run(feeds, Object.fromEntries(outputs.map((name) => [name, null])), {}),
    dispose: () => session.dispose(),
  };
}
