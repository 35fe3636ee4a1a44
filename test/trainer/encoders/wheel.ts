/** A wheel with a .pth file in it, small and of our own making, and an index that serves it. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { zipSync } from 'fflate';
import type { KnownWheel } from '../../../trainer/encoders/known.ts';
import { KNOWN_ENCODERS } from '../../../trainer/encoders/known.ts';
import { sha256 } from '../../../trainer/encoders/store.ts';
import { seeded } from '../../convert/support/numbers.ts';
import { savedTensors } from './pth.ts';

export const FILE = 'tiny_pytorch_model-0.1.0-py2.py3-none-any.whl';

/** EfficientNet-Lite with few channels and one block a stage, random weights. */
export function tinyWheel(): { wheel: Uint8Array; known: KnownWheel } {
  const files = {
    'tiny_pytorch_model/models/tiny.pth': savedTensors(tinyWeights()),
    'tiny_pytorch_model-0.1.0.dist-info/LICENSE': Buffer.from('ours'),
    'tiny_pytorch_model/__init__.py': Buffer.from('raise SystemExit'),
  };
  const wheel = zipSync(files, { mtime: '2020-01-01' });
  const known = {
    ...(KNOWN_ENCODERS[0] as KnownWheel),
    name: 'tiny',
    package: 'tiny-pytorch-model',
    file: FILE,
    repeats: [1, 1, 1, 1, 1, 1, 1],
    sha256: sha256(wheel),
    size: wheel.length,
  };
  return { wheel, known };
}

function tinyWeights() {
  const random = seeded(11);
  const tensors: Parameters<typeof savedTensors>[0][number][] = [];
  const add = (name: string, shape: number[], low: number, high: number) => {
    const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
    const count = shape.reduce((a, b) => a * b, 1);
    const storage = Float32Array.from({ length: count }, () => low + (high - low) * random());
    tensors.push({ name, shape, strides, offset: 0, storage });
  };
  const norm = (name: string, channels: number) => {
    add(`${name}.weight`, [channels], 0.5, 1.5);
    add(`${name}.bias`, [channels], -0.2, 0.2);
    add(`${name}.running_mean`, [channels], -0.2, 0.2);
    add(`${name}.running_var`, [channels], 0.5, 1.5);
  };
  add('_conv_stem.weight', [4, 3, 3, 3], -0.3, 0.3);
  norm('_bn0', 4);
  for (let i = 0; i < 7; i++) {
    const [from, expanded] = [i === 0 ? 4 : 4 + i, i === 0 ? 4 : 8];
    if (i > 0) {
      add(`_blocks.${i}._expand_conv.weight`, [expanded, from, 1, 1], -0.3, 0.3);
      norm(`_blocks.${i}._bn0`, expanded);
    }
    add(`_blocks.${i}._depthwise_conv.weight`, [expanded, 1, 3, 3], -0.3, 0.3);
    norm(`_blocks.${i}._bn1`, expanded);
    add(`_blocks.${i}._project_conv.weight`, [5 + i, expanded, 1, 1], -0.3, 0.3);
    norm(`_blocks.${i}._bn2`, 5 + i);
  }
  add('_conv_head.weight', [16, 11, 1, 1], -0.3, 0.3);
  norm('_bn1', 16);
  return tensors;
}

export type Answer = { status?: number; headers?: Record<string, string>; body?: string | Uint8Array };

/** A server on loopback; gives its address and the paths that were asked for. */
export async function serve(
  t: TestContext,
  answer: (request: IncomingMessage) => Answer,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url!);
    const { status = 200, headers = {}, body = '' } = answer(request);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
