/**
 * Folders and recipe files that are not as they should be, through the real command. Empty folders, single images,
 * copies, text and runs that are there already: see `fit.test.ts`.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import sharp from 'sharp';
import { drawGood, type Ended, run, SMALL, temporary, wavePixels } from './launcher.ts';

const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});
let folder: string;
let good: string;
before(async () => {
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  good = await make('good');
  await drawGood(good, 24);
});

const COUNT = 24;
const SIDE = 64;
const root = path.join(import.meta.dirname, '../..');

const make = async (name: string): Promise<string> => {
  const made = path.join(folder, name);
  await mkdir(made, { recursive: true });
  return made;
};
const wave = (seed: number) => sharp(wavePixels(seed), { raw: { width: SIDE, height: SIDE, channels: 3 } });
const outOf = (name: string) => path.join(folder, 'runs', name);
const fit = (data: string, ...more: string[]): Promise<Ended> =>
  run('trainer', ['fit', data, '--out', outOf(path.basename(data)), ...SMALL, '--epochs=1', ...more]);

/** One message and no stack trace, and no run begun. */
async function refused(ended: Ended, out: string, code: number, message: RegExp): Promise<void> {
  assert.match(ended.stderr, message);
  assert.equal(ended.code, code, ended.stderr);
  assert.doesNotMatch(ended.stderr, /\n {4}at /, 'a stack trace was shown');
  assert.equal(ended.stderr.match(/error:/g)?.length, 1);
  await assert.rejects(stat(path.join(out, 'run.json')));
}

/** Scores by the bundle of a run, in the order given. */
async function scoresOf(data: string, ...files: Buffer[]): Promise<number[]> {
  const paths = await Promise.all(
    files.map(async (bytes, i) => {
      const file = path.join(folder, `${path.basename(data)}-scored-${i}.png`);
      await writeFile(file, bytes);
      return file;
    }),
  );
  const bundle = path.join(outOf(path.basename(data)), 'bundle.onnx');
  const ended = await run('agent', ['score', bundle, ...paths, '--json']);
  assert.equal(ended.code, 0, ended.stderr);
  const lines = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { path: string; score: number });
  return paths.map((file) => lines.find((line) => line.path === file)!.score);
}

test('mixed sizes work, and what becomes of them is said', async () => {
  const data = await make('mixed');
  for (let i = 0; i < COUNT; i++)
    await wave(i)
      .resize(40 + 3 * i, 60 + i, { fit: 'fill' })
      .png()
      .toFile(path.join(data, `${i}.png`));
  const ended = await fit(data);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(
    ended.stdout,
    /sizes: 24 different sizes, 40 x 60 to 109 x 83 pixels; each is brought to 32 x 32 \(fit: fill\)\./,
  );
});

test('16 bits a channel work, are said to be scaled to 8, and count as the same picture in 8', async () => {
  const data = await make('deep');
  for (let i = 0; i < COUNT; i++)
    await wave(i)
      .toColourspace('rgb16')
      .png()
      .toFile(path.join(data, `${i}.png`));
  const ended = await fit(data);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(
    ended.stdout,
    /24 of 24 images are stored with more than 8 bits a channel; they are scaled to 8\./,
  );
  assert.doesNotMatch(ended.stdout, /nearly black/);
  const [deep, flat] = await scoresOf(
    data,
    await readFile(path.join(data, '0.png')),
    await wave(0).png().toBuffer(),
  );
  // Resized before it is brought to 8 bits: up to a grey level apart.
  assert.ok(Math.abs(deep! / flat! - 1) < 0.01, `${deep} against ${flat}`);
});

test('data of 12 bits in files of 16 trains with a warning that says what to do', async () => {
  const data = await make('twelve');
  for (let i = 0; i < COUNT; i++) {
    const values = Uint16Array.from(wavePixels(i), (value) => value * 16 + 15);
    await sharp(values, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toFile(path.join(data, `${i}.png`));
  }
  const ended = await fit(data);
  assert.equal(ended.code, 0, ended.stderr);
  const said =
    /The images stored with 16 bits a channel use 12 of them: they are seen nearly black, in 16 of 256 grey levels, .*all values times 16,/;
  assert.match(ended.stdout, said);
  assert.match(await readFile(path.join(outOf('twelve'), 'report.html'), 'utf8'), said);
});

test('one picture saved 24 times with loss is refused as near copies, and leaves no folder', async () => {
  const data = await make('again');
  for (let i = 0; i < COUNT; i++)
    await wave(1)
      .jpeg({ quality: 40 + 2 * i })
      .toFile(path.join(data, `${i}.jpg`));
  const out = path.join(folder, 'runs', 'deep', 'down', 'again');
  const ended = await run('trainer', ['fit', data, '--out', out, ...SMALL, '--epochs=1']);
  await refused(
    ended,
    out,
    1,
    /The 24 images form only 1 group of images that belong together \(near copies/,
  );
  await assert.rejects(stat(path.dirname(out)), { code: 'ENOENT' });
});

test('one channel among three works, is said, and counts as its grey in three channels', async () => {
  const data = await make('channels');
  const grey = await wave(0).greyscale().toColourspace('b-w').png().toBuffer();
  await writeFile(path.join(data, '0.png'), grey);
  for (let i = 1; i < COUNT; i++)
    await wave(i)
      .png()
      .toFile(path.join(data, `${i}.png`));
  const ended = await fit(data);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(
    ended.stdout,
    /1 of 24 images is grey, the others in colour; grey is repeated to three channels\./,
  );
  const three = await sharp(grey).toColourspace('srgb').png().toBuffer();
  assert.deepEqual(
    [(await sharp(grey).metadata()).channels, (await sharp(three).metadata()).channels],
    [1, 3],
  );
  const [one, repeated] = await scoresOf(data, grey, three);
  assert.equal(one, repeated);
});

test('a truncated JPEG is refused by name with its reason, the others train', async () => {
  const data = await make('cut');
  await drawGood(data, COUNT);
  const whole = await readFile(path.join(data, 'good-7.jpg'));
  await writeFile(path.join(data, 'good-7.jpg'), whole.subarray(0, whole.length / 2));
  const ended = await fit(data);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(
    ended.stdout,
    /images: 23 in .*, 1 refused\n {2}refused good-7\.jpg: truncated, The jpeg ends before/,
  );
  const metrics = JSON.parse(await readFile(path.join(outOf('cut'), 'metrics.json'), 'utf8'));
  assert.deepEqual(
    metrics.data.refusedFiles.map((file: { name: string }) => file.name),
    ['good-7.jpg'],
  );
});

test('one picture in many files is no set of images: without loss, and saved again with loss', async () => {
  const lossless = await make('lossless');
  for (let i = 0; i < 10; i++)
    await wave(0)
      .png({ compressionLevel: i })
      .toFile(path.join(lossless, `${i}.png`));
  await wave(0).tiff({ compression: 'lzw' }).toFile(path.join(lossless, 'x.tif'));
  await refused(
    await fit(lossless),
    outOf('lossless'),
    1,
    /Only 1 distinct image can be used \(10 more are copies of them\).*Give a folder with more good images/,
  );
  const lossy = await make('lossy');
  for (let i = 0; i < 12; i++)
    await wave(0)
      .jpeg({ quality: 70 + i })
      .toFile(path.join(lossy, `${i}.jpg`));
  await refused(
    await fit(lossy),
    outOf('lossy'),
    1,
    /The 12 images form only 1 group of images that belong together.*Give a folder with more different good images/,
  );
});

test('the rule f1 without labels is refused before training, with two ways out', async () => {
  const args = ['--backend=onnx', '--set=threshold.rule=f1'];
  const ended = await run('trainer', ['fit', good, '--out', outOf('f1'), ...args]);
  await refused(
    ended,
    outOf('f1'),
    1,
    /rule f1 needs labelled images of both kinds.*there are 0 good and 0 poor ones\. Give them with --good and --bad .*or use a rule that needs none: --set threshold\.rule=conformal/,
  );
  assert.doesNotMatch(ended.stdout, /epoch 1/);
});

test('an --out that is a file is refused and left as it was', async () => {
  const file = path.join(folder, 'results.txt');
  await writeFile(file, 'mine');
  const ended = await run('trainer', ['fit', good, '--out', file, ...SMALL]);
  await refused(ended, file, 1, /results\.txt cannot be written \(EEXIST\)\. Choose another --out/);
  assert.equal(await readFile(file, 'utf8'), 'mine');
});

test('an --out with other files in it is used, and they stay', async () => {
  const out = await make('runs/good');
  await writeFile(path.join(out, 'notes.txt'), 'mine');
  const ended = await fit(good);
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(await readFile(path.join(out, 'notes.txt'), 'utf8'), 'mine');
});

test('a folder that may not be read is named, whether it was given or lies within', async (t) => {
  // Root may read everything: the trainer then runs as another user.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const asUser = async (args: readonly string[]): Promise<Ended> => {
    const child = spawn(path.join(root, 'trainer/bin/trainer'), args, { cwd: '/', ...user });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const [code] = await once(child, 'close');
    return { code, stdout, stderr };
  };
  const able = await asUser(['--version']).catch((error: Error) => ({ code: null, stderr: error.message }));
  if (able.code !== 0) return t.skip(`another user cannot run the trainer here: ${able.stderr}`);
  await chmod(folder, 0o755);
  const data = await make('rights');
  const locked = await make('rights/scans/locked');
  await drawGood(path.join(data, 'scans'), COUNT);
  const out = await make('open');
  await chmod(out, 0o777);
  await chmod(locked, 0o000);
  t.after(() => chmod(locked, 0o755));
  for (const given of [locked, data]) {
    const ended = await asUser(['fit', given, '--out', out, ...SMALL]);
    await refused(
      ended,
      out,
      1,
      /The folder \S+locked cannot be read \(EACCES\)\. Allow it to be read, or give another folder/,
    );
  }
});

for (const [name, change, message] of [
  ['an unknown key', { epoch: 3 }, /own\.json: there is no key epoch\. Did you mean epochs\?/],
  [
    'a mistyped key, without which another is missing',
    { epochs: undefined, epoch: 3 },
    /own\.json: there is no key epoch\. Did you mean epochs\?/,
  ],
  ['a missing key', { epochs: undefined }, /own\.json: epochs: missing; expected a number/],
  ['a wrong type', { epochs: 'fifty' }, /own\.json: epochs is "fifty": expected a number, but it is a text/],
  ['a wrong word', { residual: 'sqared' }, /own\.json: residual is "sqared".*Did you mean squared\?/],
] as const)
  test(`a recipe file with ${name} is refused with the place`, async () => {
    const fundus = JSON.parse(await readFile(path.join(root, 'config/recipes/fundus.json'), 'utf8'));
    const file = path.join(folder, 'own.json');
    await writeFile(file, JSON.stringify({ ...fundus, ...change }));
    const ended = await run('trainer', ['fit', good, '--recipe', file, '--out', outOf('own')]);
    await refused(ended, outOf('own'), 2, message);
  });
