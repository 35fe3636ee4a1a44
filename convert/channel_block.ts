import { Tensor } from 'onnxruntime-node';
import { Graph } from './graph.ts';
import { BLOCKED_DOMAIN } from './kernels/blocked.ts';
import { serializeModel } from './model.ts';
import { loadSession } from './session.ts';

/**
 * How many channels onnxruntime puts side by side on this processor (8 or 16, by the width of its vectors); nothing where
 * it has no blocked layout. Asked of onnxruntime itself: it reorders an image of 4 channels, and fills the block up.
 */
export function channelBlock(): number | undefined {
  const g = new Graph({ portable: false, poolIndices: false, reserved: [] });
  const dims = [1, 4, 1, 1];
  const pixel = g.input({ name: 'pixel', type: 'float32', dims });
  const reordered = g.op('ReorderInput', [pixel], { channels_last: 0 }, BLOCKED_DOMAIN);
  g.output(reordered, { name: 'block', type: 'float32', dims: [1, 'channels', 1, 1] });
  const model = serializeModel(g.finish({ keepInputs: false }));
  const session = loadSession(model, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  try {
    const feeds = { pixel: new Tensor('float32', new Float32Array(4), dims) };
    const channels = session.run(feeds, ['block']).block!.dims[1]!;
    return channels > 4 ? channels : undefined;
  } finally {
    session.dispose();
  }
}
