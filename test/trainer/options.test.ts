/** Options of a run through the real commands: each ends in a bundle that the agent scores with as the trainer did. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import sharp from 'sharp';
import { readBundle } from '../../agent/inspect/bundle.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { useOnnx } from '../convert/support/backends.ts';
import { layersModel, writeGraphModel, writeLayersModel, writeOnnx } from './encoders/models.ts';
import { drawGood, drawPoor, run, temporary, wavePixels } from './launcher.ts';

interface Outcome {
  readonly metrics: Metrics;
  readonly manifest: Manifest;
  /** Scores of the test images by `agent score`, by file. */
  readonly scores: ReadonlyMap<string, number>;
}

const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});
let folder: string;
/** The plain net of the recipe `fundus`, which the options change. */
let plain: Outcome;

const SIDE = 64;
const PAGES = 5;

before(async () => {
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  await drawGood(path.join(folder, 'stills/train'), 24);
  await drawGood(path.join(folder, 'stills/test/good'), 3, 500);
  await drawPoor(path.join(folder, 'stills/test/poor'), 3);
  for (const format of ['gif', 'tiff'] as const) {
    const data = path.join(folder, format);
    for (const inner of ['train', 'test/good', 'test/poor'])
      await mkdir(path.join(data, inner), { recursive: true });
    for (let i = 0; i < 16; i++)
      await writeFile(path.join(data, `train/${i}.${format}`), await sequence(i, format, 'waves go on'));
    for (let i = 100; i < 103; i++) {
      await writeFile(path.join(data, `test/good/${i}.${format}`), await sequence(i, format, 'waves go on'));
      await writeFile(path.join(data, `test/poor/${i}.${format}`), await sequence(i, format, 'goes dark'));
    }
  }
  await useOnnx();
  const model = layersModel();
  await writeLayersModel(path.join(folder, 'layers'), model);
  writeGraphModel(path.join(folder, 'graph'));
  writeOnnx(folder, model);
  plain = await fit('plain', 'stills', [...INPUT, '--set', 'model.filters=4,8']);
});

/** Pages of a wave whose phase goes on; or the same first page, and black ones after it. */
async function sequence(
  seed: number,
  format: 'gif' | 'tiff',
  how: 'waves go on' | 'goes dark',
): Promise<Buffer> {
  const first = wavePixels(seed);
  const pages = Array.from({ length: PAGES }, (_, page) => {
    const pixels = first.map((_, k) => {
      const [column, row] = [Math.floor(k / 3) % SIDE, Math.floor(k / 3 / SIDE)];
      return first[(row * SIDE + ((column + 4 * page) % SIDE)) * 3 + (k % 3)]!;
    });
    const shown = page > 0 && how === 'goes dark' ? new Uint8Array(pixels.length) : pixels;
    return sharp(shown, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png()
      .toBuffer();
  });
  return sharp(await Promise.all(pages), { join: { animated: true } })
    .toFormat(format)
    .toBuffer();
}

const INPUT = ['--set', 'input.width=32', '--set', 'input.height=32'];

/** Trains on `data`, then has the agent score its test images: as the evaluation of the run did, or this fails. */
async function fit(name: string, data: string, options: readonly string[]): Promise<Outcome> {
  const [source, out] = [path.join(folder, data), path.join(folder, 'runs', name)];
  const small = [
    '--backend=onnx',
    '--recipe=fundus',
    '--epochs=2',
    '--batch=8',
    '--set=threshold.rule=mean-std',
  ];
  const ended = await run('trainer', ['fit', source, '--out', out, ...small, ...options]);
  assert.equal(ended.code, 0, ended.stderr);
  const metrics: Metrics = JSON.parse(await readFile(path.join(out, 'metrics.json'), 'utf8'));
  const bundle = path.join(out, 'bundle.onnx');
  const scored = await run('agent', ['score', bundle, path.join(source, 'test'), '--json']);
  assert.equal(scored.code, 0, scored.stderr); // the golden proof, too: without it the agent refuses the bundle
  const lines: { path: string; score: number; verdict: string }[] = scored.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { images } = metrics.evaluation!;
  assert.equal(images.length, 6);
  assert.equal(lines.length, 6);
  for (const { path: file, score, verdict } of lines) {
    const image = images.find((one) => one.path === file);
    assert.ok(image, file);
    assert.ok(score > 0, `${file}: ${score}`);
    assert.ok(Math.abs(image.score - score) <= 1e-6 * score, `${file}: ${image.score} against ${score}`);
    assert.equal(image.verdict, verdict);
  }
  const scores = new Map(lines.map(({ path: file, score }) => [path.relative(source, file), score]));
  return { metrics, manifest: (await readBundle(bundle)).manifest, scores };
}

const layersOf = ({ metrics }: Outcome, kind: RegExp) =>
  metrics.model.layers.filter((layer) => kind.test(layer.kind)).length;

test('a variational autoencoder scores the same every time', async () => {
  const outcome = await fit('vae', 'stills', [
    ...INPUT,
    ...['model.kind=vae', 'model.latent=6', 'model.filters=4,8'].flatMap((change) => ['--set', change]),
  ]);
  assert.equal(outcome.metrics.recipe.model.kind, 'vae');
  const again = await run('agent', [
    'score',
    path.join(folder, 'runs/vae/bundle.onnx'),
    path.join(folder, 'stills/test'),
    '--json',
  ]);
  for (const line of again.stdout.trim().split('\n')) {
    const { path: file, score } = JSON.parse(line);
    assert.equal(score, outcome.scores.get(path.relative(path.join(folder, 'stills'), file)));
  }
});

test('batch normalization', async () => {
  const outcome = await fit('bn', 'stills', [
    ...INPUT,
    ...['model.kind=conv-bn', 'model.filters=4,8'].flatMap((change) => ['--set', change]),
  ]);
  assert.equal(layersOf(plain, /BatchNorm/), 0);
  assert.equal(layersOf(outcome, /BatchNorm/), 4);
});

test('more layers: another block, and two convolutions in each', async () => {
  const outcome = await fit('layers', 'stills', [
    ...INPUT,
    ...['model.filters=4,8,16', 'model.convolutions=2'].flatMap((change) => ['--set', change]),
  ]);
  assert.ok(layersOf(outcome, /Conv2D/) > 2 * layersOf(plain, /Conv2D/));
  assert.ok(outcome.metrics.model.parameters > 2 * plain.metrics.model.parameters);
});

test('a transformer over patches, some of them masked in training', async () => {
  const changes = ['kind=patch-transformer', 'patch=8', 'width=16', 'depth=1', 'heads=2'];
  const outcome = await fit('patches', 'stills', [
    ...INPUT,
    ...changes.flatMap((change) => ['--set', `model.${change}`]),
  ]);
  const { model } = outcome.metrics.recipe;
  assert.deepEqual(model.kind === 'patch-transformer' && [model.patch, model.mask], [8, 0.5]);
});

const CONVLSTM = [
  '--recipe=chest-xray',
  ...['input.width=16', 'input.height=16', 'model.filters=4,2', 'split.tuning=0'].flatMap((change) => [
    '--set',
    change,
  ]),
];

for (const [frames, format] of [
  [1, 'gif'],
  [5, 'gif'],
  [5, 'tiff'],
] as const)
  test(`ConvLSTM: with ${frames} frame(s) a ${format} counts with as many pages`, async () => {
    const { manifest, scores } = await fit(`lstm-${frames}-${format}`, format, [
      ...CONVLSTM,
      `--frames=${frames}`,
    ]);
    assert.equal(manifest.preprocessing.frames, frames);
    for (const i of [100, 101, 102]) {
      const [moving, dark] = ['good', 'poor'].map((kind) => scores.get(`test/${kind}/${i}.${format}`)!);
      // The first page is the same in both.
      if (frames === 1) assert.equal(dark, moving);
      else assert.notEqual(dark, moving);
    }
  });

for (const [kind, file, name, tap, side] of [
  ['a TensorFlow.js layers model', 'layers/model.json', 'layers', 'late', 16],
  ['a TensorFlow.js graph model', 'graph/model.json', 'graph', 'pool', 96],
  ['an ONNX file', 'tiny.onnx', 'tiny.onnx', 'late', 16],
] as const)
  test(`an encoder from ${kind}`, async () => {
    const encoder = path.join(folder, file);
    const changes = [
      `input.width=${side}`,
      `input.height=${side}`,
      `model.tap=${tap}`,
      'model.filters=4,2',
      'split.tuning=0',
    ];
    const { manifest, metrics } = await fit(`encoder-${file.replace(/\W/g, '-')}`, 'stills', [
      ...['--recipe=brain-mri', `--encoder=${encoder}`],
      ...changes.flatMap((change) => ['--set', change]),
    ]);
    assert.equal(manifest.provenance.encoder?.name, name);
    assert.equal(metrics.bundle.encoder?.name, name);
    // Only the decoder is trained.
    assert.ok(metrics.model.layers.every((layer) => !/encode|early|late/.test(layer.name)));
  });
