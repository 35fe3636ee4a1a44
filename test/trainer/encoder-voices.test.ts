/** The voices of an encoder through the real command, on drawn phantoms, with a tiny network. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readBundle } from '../../agent/inspect/bundle.ts';
import { decode } from '../../agent/inspect/decode.ts';
import { evidenceOf } from '../../agent/inspect/evidence.ts';
import { LIMITS } from '../../trainer/data/load.ts';
import { useOnnx } from '../convert/support/backends.ts';
import { drawPhantom, type Flaw } from '../demo/phantoms.ts';
import { layersModel, writeLayersModel, writeOnnx } from './encoders/models.ts';
import { run, temporary } from './launcher.ts';

const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});
let folder: string;
let good: string;
let onnx: string;
before(async () => {
  await useOnnx();
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  good = path.join(folder, 'good');
  await draw(good, 20);
  await draw(path.join(folder, 'test/good'), 4, 500);
  await draw(path.join(folder, 'test/poor'), 4, 600, 'not an eye');
  const model = layersModel();
  onnx = writeOnnx(folder, model);
  await writeLayersModel(path.join(folder, 'layers'), model);
});

/** Beside those of the encoder two small voices, so that a run takes seconds. */
const VOICES = `model.voices=${JSON.stringify([
  { voice: 'sharpness', detector: { kind: 'gaussian' } },
  { voice: 'energy', detector: { kind: 'autoencoder', hidden: 8, bottleneck: 2 } },
])}`;

const SHORT = ['--backend=onnx', '--epochs=2', '--set', 'split.folds=2'];

const fit = (out: string, ...more: string[]) =>
  run('trainer', ['fit', good, '--out', out, ...SHORT, '--set', VOICES, ...more]);

async function draw(into: string, count: number, first = 0, flaw?: Flaw): Promise<void> {
  await mkdir(into, { recursive: true });
  for (let i = 0; i < count; i++)
    await writeFile(path.join(into, `${first + i}.jpg`), await drawPhantom(first + i, flaw));
}

test('an ONNX encoder by path: told before it starts, one graph, a voice in the score and in the evidence', async () => {
  const out = path.join(folder, 'onnx-run');
  const ended = await fit(out, '--encoder', onnx, '--test', path.join(folder, 'test'));
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /encoder: tiny\.onnx, frozen; not stated/);
  assert.match(ended.stdout, /costs [\d.]+ ms an image on one thread.*features of 20 images take at most/);
  assert.ok(ended.stdout.indexOf('costs') < ended.stdout.indexOf('architecture'));
  const { model, manifest } = await readBundle(path.join(out, 'bundle.onnx'));
  const sha256 = createHash('sha256')
    .update(await readFile(onnx))
    .digest('hex');
  assert.deepEqual(manifest.provenance.encoder, {
    ...{ name: 'tiny.onnx', source: 'a file of the user', licence: 'not stated', sha256 },
  });
  const names = manifest.voices!.map(({ name }) => name);
  assert.deepEqual(names.slice(-2), ['encoder', 'encoder-patches']);
  for (const name of names) assert.equal(manifest.calibration.voices![name]!.length, 20);

  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const pixels = await Promise.all(
    [500, 501, 502, 503, 600, 601, 602, 603].map(async (seed) => {
      const file = path.join(folder, 'test', seed < 600 ? 'good' : 'poor', `${seed}.jpg`);
      return (await decode(await readFile(file), manifest.preprocessing, LIMITS)).pixels;
    }),
  );
  const voicesOf = async (some: readonly Uint8Array[]) => {
    const image = new Tensor('uint8', Buffer.concat(some), [some.length, 224, 224, 3]);
    return (await session.run({ image })).voices!.data as Float32Array;
  };
  const alone: number[] = [];
  for (const one of pixels) alone.push(...(await voicesOf([one])));
  for (const size of [3, 8])
    for (const [i, z] of (await voicesOf(pixels.slice(0, size))).entries())
      assert.ok(Math.abs(z - alone[i]!) < 1e-3, `${names[i % names.length]}: ${z}, ${alone[i]}`);

  // Without statistics, which would be told first of what is no eye at all.
  const { statistics: _, ...voicesOnly } = manifest;
  for (const one of pixels.slice(4)) {
    const { voices, map } = await session.run({ image: new Tensor('uint8', one, [1, 224, 224, 3]) });
    const [mapHeight, mapWidth] = map!.dims.slice(1) as [number, number];
    const scores = {
      voices: voices!.data as Float32Array,
      map: map!.data as Float32Array,
      mapHeight,
      mapWidth,
    };
    const codes = evidenceOf(scores, voicesOnly).map(({ code }) => code);
    assert.ok(codes.includes('encoder-unlike'), `${codes}`);
  }
  await session.release();
});

test('a TensorFlow.js encoder at a tap of its own; a tap that it lacks is refused with what there is', async () => {
  const voices = (tap: string) =>
    `model.encoderVoices=${JSON.stringify([{ voice: 'encoder', tap, detector: { kind: 'gaussian' } }])}`;
  const encoder = ['--encoder', path.join(folder, 'layers')];
  const out = path.join(folder, 'layers-run');
  const ended = await fit(out, ...encoder, '--set', voices('early'));
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /encoder +gaussian 8 +8 /); // mean and deviation of four features
  const refused = await fit(path.join(folder, 'refused'), ...encoder, '--set', voices('erly'));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /has no tap erly\. Did you mean early\? It has early, late/);
});

test('a voice that sees through an encoder needs one, and an encoder needs such a voice', async () => {
  const voice = '{"voice":"encoder","detector":{"kind":"gaussian"}}';
  const none = await fit(path.join(folder, 'none'), '--set', `model.voices=[${voice}]`);
  assert.notEqual(none.code, 0);
  assert.match(none.stderr, /sees through an encoder, but there is none: set model\.encoder/);
  const idle = await fit(path.join(folder, 'idle'), '--encoder', onnx, '--set', 'model.encoderVoices=[]');
  assert.notEqual(idle.code, 0);
  assert.match(idle.stderr, /No voice sees through the encoder/);
});
