/** Runs the trainer's own TensorFlow.js on the C library of an installed tfjs-node. */
import { realpathSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { BackendError } from './error.ts';
import type { FoundPackage } from './find.ts';

/** Name under which tfjs-node's kernels register, fixed by that package. */
const TENSORFLOW = 'tensorflow';

export interface LoadedTensorFlow {
  /** Version of TensorFlow's C library, such as "2.13.1". */
  version: string;
  /** Where kernels run. */
  device: 'CPU' | 'GPU';
}

/** The part of tfjs-node's native addon that is used here. */
interface Binding {
  TF_Version: string;
  isUsingGpuDevice(): boolean;
}

type NodeBackend = tf.KernelBackend & { binding: Binding };

type BackendConstructor = new (binding: Binding, packageName: string) => NodeBackend;

/**
 * Registers the kernels of a found tfjs-node on *our* `@tensorflow/tfjs-core` and makes them current, so that
 * code which imports tfjs-core or tfjs-layers in the ordinary way trains, saves and reads weights on them.
 *
 * Importing the package itself would not do. It requires `@tensorflow/tfjs`, which resolves beside it to second
 * copies of core, layers and the cpu and WebGL backends. Engine and kernel registry survive that (tfjs keeps both
 * on `globalThis`), but the copies' classes are not ours: `instanceof Tensor` inside its kernels fails for our
 * tensors, the cpu kernels register twice, and the platform is overwritten. So only its kernels, its backend class
 * and its addon are loaded, and while they load (all of it synchronous) a resolution hook sends what these
 * files ask for to our core: measured on 4.22.0, everything they use of `@tensorflow/tfjs` is core's. Node's `util`
 * is sent to a module with the two functions that Node 23 took away. The hook answers for files of this one package
 * only and is gone afterwards; no file of the package is changed, and nothing else of tfjs has to be installed.
 *
 * At most one of the two packages can be loaded in a process, since both bring a TensorFlow of their own; the
 * first one loaded stays.
 *
 * @throws BackendError when the package or its addon cannot be loaded; `cause` says why.
 */
export async function loadTensorFlow(found: FoundPackage): Promise<LoadedTensorFlow> {
  if (tf.findBackendFactory(TENSORFLOW) === null) registerPackage(found);
  if (!(await tf.setBackend(TENSORFLOW))) {
    tf.removeBackend(TENSORFLOW);
    throw new BackendError(`${found.backend} was loaded from ${found.folder}, but TensorFlow did not start.`);
  }
  const { binding } = tf.backend() as NodeBackend;
  return { version: binding.TF_Version, device: binding.isUsingGpuDevice() ? 'GPU' : 'CPU' };
}

function registerPackage(found: FoundPackage): void {
  const { binding, NodeJSKernelBackend } = requirePackage(found);
  tf.registerBackend(TENSORFLOW, () => new NodeJSKernelBackend(binding, `@tensorflow/${found.backend}`));
}

function requirePackage(found: FoundPackage): { binding: Binding; NodeJSKernelBackend: BackendConstructor } {
  const ours = createRequire(import.meta.url);
  // Node names modules by their real path; the folder may have been reached through a link.
  const folder = pathToFileURL(`${realpathSync(found.folder)}/`).href;
  const theirs = createRequire(folder);
  const core = pathToFileURL(ours.resolve('@tensorflow/tfjs-core')).href;
  const redirected = new Map([
    ['@tensorflow/tfjs', core],
    ['@tensorflow/tfjs-core', core],
    ['util', new URL('./removed-util.ts', import.meta.url).href],
  ]);
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = context.parentURL?.startsWith(folder) ? redirected.get(specifier) : undefined;
      return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true };
    },
  });
  try {
    theirs('./dist/register_all_kernels.js');
    const { NodeJSKernelBackend } = theirs('./dist/nodejs_kernel_backend.js');
    return { binding: theirs(found.addon), NodeJSKernelBackend };
  } catch (cause) {
    throw new BackendError(
      `${found.backend} in ${found.folder} cannot be loaded: ${(cause as Error).message}. ` +
        'Remove that folder and install it again.',
      { cause },
    );
  } finally {
    hooks.deregister();
  }
}
