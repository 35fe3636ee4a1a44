/** Burned-in text, masks and poor images among the good ones, through the real command on drawn phantoms. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { parseMask } from '../../trainer/mask-option.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { findPlaces } from '../../trainer/overlays/places.ts';
import { drawPhantom, type Flaw } from '../demo/phantoms.ts';
import { type Ended, run, SMALL, temporary } from './launcher.ts';

const SHORT = ['--backend=onnx', '--epochs=2', '--set', 'split.folds=2'];
const PLANTED: Readonly<Record<string, Flaw>> = {
  'planted-1.png': 'not an eye',
  'planted-2.png': 'out of focus',
};
const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});
let folder: string;
let good: string;
let plain: Ended;
const outOf = (name: string) => path.join(folder, name);
const metricsOf = async (name: string): Promise<Metrics> =>
  JSON.parse(await readFile(path.join(outOf(name), 'metrics.json'), 'utf8'));

/** A phantom with the date and time of its capture at the lower left, each its own. */
async function dated(seed: number, flaw?: Flaw): Promise<Buffer> {
  const two = (n: number) => String(n).padStart(2, '0');
  const words = `2024-${two(1 + (seed % 12))}-${two(1 + (seed % 28))} ${two(seed % 24)}:${two((7 * seed) % 60)}`;
  const text = `<svg width="256" height="256"><text x="6" y="250" font-family="sans-serif" font-size="13" fill="#fff">${words}</text></svg>`;
  return sharp(await drawPhantom(seed, flaw))
    .composite([{ input: Buffer.from(text) }])
    .png()
    .toBuffer();
}

before(async () => {
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  good = outOf('good');
  await mkdir(good);
  for (let i = 0; i < 18; i++) await writeFile(path.join(good, `${i}.png`), await dated(i));
  for (const [i, [name, flaw]] of Object.entries(PLANTED).entries())
    await writeFile(path.join(good, name), await dated(900 + i, flaw));
  plain = await run('trainer', ['fit', good, '--out', outOf('plain'), ...SHORT]);
  assert.equal(plain.code, 0, plain.stderr);
});

test('text at one place in most images is named, with what depends on it and the mask to use', async () => {
  const { overlays } = await metricsOf('plain');
  assert.equal(overlays.length, 1, JSON.stringify(overlays));
  const { mask, images, looked, depends } = overlays[0]!;
  assert.equal(looked, 20);
  assert.ok(images >= 18, `${images}`);
  const [left, top, width, height] = mask.split(',').map((part) => Number(part.slice(0, -1)));
  assert.ok(left! <= 3 && top! > 85 && top! <= 94 && height! <= 15, mask);
  assert.ok(width! > 35 && width! < 70, mask);
  assert.ok(
    depends!.some(({ of, name }) => of === 'statistic' && name === 'noise'),
    JSON.stringify(depends),
  );
  assert.match(
    plain.stdout,
    new RegExp(`overlay: Text is burned in at ${mask} .*noise.*fit again with --mask ${mask}`),
  );
  assert.match(await readFile(path.join(outOf('plain'), 'report.html'), 'utf8'), /Text is burned in at/);
});

test('with the mask nothing is found, the bundle tells it, and a date changes no score', async () => {
  const [{ mask }] = (await metricsOf('plain')).overlays as [Metrics['overlays'][number]];
  const fit = ['fit', good, '--out', outOf('masked'), '--mask', mask, ...SMALL, '--epochs=1'];
  const ended = await run('trainer', fit);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, new RegExp(`input: 32 x 32, RGB, blanked at ${mask}\n`));
  assert.deepEqual((await metricsOf('masked')).overlays, []);
  const bundle = path.join(outOf('masked'), 'bundle.onnx');
  const inspected = await run('agent', ['inspect', bundle]);
  assert.match(inspected.stdout, new RegExp(`^blanked +${mask}$`, 'm'));
  const without = path.join(folder, 'without.png');
  const withDate = path.join(folder, 'with.png');
  await writeFile(
    without,
    await sharp(await drawPhantom(5))
      .png()
      .toBuffer(),
  );
  await writeFile(withDate, await dated(5));
  const scoresOf = async (name: string) => {
    const { stdout } = await run('agent', [
      'score',
      path.join(outOf(name), 'bundle.onnx'),
      without,
      withDate,
      '--json',
    ]);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).score as number);
  };
  const [a, b] = await scoresOf('masked');
  assert.equal(a, b);
  const [c, d] = await scoresOf('plain');
  assert.ok(Math.abs(c! / d! - 1) > 0.01, 'without the mask it does');
});

test('poor images among the good ones are shown for a look, with what is unusual about them', async () => {
  const { suspicious, calibration } = await metricsOf('plain');
  assert.equal(suspicious.length, 4, 'one in five of 20');
  const found = suspicious.slice(0, 2);
  assert.deepEqual(found.map(({ name }) => name).sort(), Object.keys(PLANTED), JSON.stringify(suspicious));
  for (const { evidence } of found) assert.ok(evidence.length > 0);
  assert.ok(suspicious.every(({ score }, i) => i === 0 || score <= suspicious[i - 1]!.score));
  assert.equal(suspicious[0]!.score, calibration.images.at(-1)!.score);
  const page = await readFile(path.join(outOf('plain'), 'report.html'), 'utf8');
  const group = page.slice(page.indexOf('For a look: the 4 most unusual good images'));
  for (const { name, evidence } of found) {
    assert.ok(group.includes(`${name} as the model sees it`), name);
    assert.ok(group.includes(evidence[0]!.sentence), evidence[0]!.sentence);
  }
  assert.match(
    plain.stdout,
    /for a look: the 4 most unusual .*\n {2}planted-\d\.png: .+\n {2}planted-\d\.png: /,
  );
});

test('a place is where three in ten images have text; text here and there is none', () => {
  const line = (left: number, top: number, width = 0.3) => ({
    left,
    top,
    right: left + width,
    bottom: top + 0.03,
  });
  const scattered = Array.from({ length: 20 }, (_, i) => [line(0.03 * i, (0.37 * i) % 0.9)]);
  assert.deepEqual(findPlaces(scattered), []);
  const often = scattered.map((some, i) =>
    i % 3 === 0 ? [...some, line(0.6, 0.9, 0.25 + 0.005 * i)] : some,
  );
  const places = findPlaces(often);
  assert.equal(places.length, 1);
  const { region, images } = places[0]!;
  assert.ok(images >= 7 && images <= 9, `${images}`);
  assert.ok(region.left <= 59 && region.left >= 50 && region.top <= 89 && region.left + region.width >= 95);
});

test('a mask that reaches beyond the image, or leaves nothing of it, is refused in words', () => {
  for (const [mask, expected] of [
    ['90%,0,20%,10%', /reaches beyond the image: at most 100 %/],
    ['0,95%,10%,10%', /reaches beyond the image/],
    ['0,0,100%,100%', /blanks the whole image/],
    ['0,0,10,10%', /all in pixels or all in per cent/],
  ] as const)
    assert.throws(() => parseMask(mask), expected);
  assert.deepEqual(parseMask('0,90%,100%,10%'), {
    unit: 'percent',
    left: 0,
    top: 90,
    width: 100,
    height: 10,
  });
});
