import assert from 'node:assert/strict';
import { mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { idxSamples, readIdx } from '../../trainer/data/idx.ts';
import { kindsInNames } from '../../trainer/data/kinds.ts';
import { labelledFrom, splitLabelled } from '../../trainer/data/labelled.ts';
import type { LabelledSample } from '../../trainer/data/sample.ts';
import { openSource } from '../../trainer/data/source.ts';
import { randomFor } from '../../trainer/random.ts';
import { encode, noisyPixels } from '../support/images.ts';
import { temporary } from './launcher.ts';

/** IDX of images 4 x 3, in which every pixel of image i is `first + i`. */
function idx(count: number, first = 0): Buffer {
  const head = Buffer.alloc(16);
  for (const [i, v] of [0x803, count, 3, 4].entries()) head.writeUInt32BE(v, 4 * i);
  return Buffer.concat([
    head,
    Buffer.from(Array.from({ length: 12 * count }, (_, i) => first + Math.floor(i / 12))),
  ]);
}

/** Writes small files of these names; recognising a layout does not look into them. */
async function files(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), name);
  }
}
const numbered = (count: number, name: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => name(i));

test('IDX files are read, packed or not, and their images are PNGs of the very pixels', async (t) => {
  const folder = await temporary(t);
  await writeFile(path.join(folder, 'train-images-part2-idx3-ubyte.gz'), gzipSync(idx(2, 100)));
  await writeFile(path.join(folder, 'train-images-part1-idx3-ubyte'), idx(3));
  await writeFile(path.join(folder, 'train-labels-idx1-ubyte'), 'labels');
  await writeFile(path.join(folder, 't10k-images.idx3-ubyte'), idx(4));
  const source = await openSource(folder, {});
  assert.deepEqual(
    source.train.map(({ name, path: file }) => [name, file]),
    [
      ...[0, 1, 2].map((i) => [`train-images-part1-idx3-ubyte#${i}`, null]),
      ...[0, 1].map((i) => [`train-images-part2-idx3-ubyte.gz#${i}`, null]),
    ],
  );
  assert.equal(source.good.length, 4);
  assert.match(source.description, /part1.*part2.* to train on, t10k-images\.idx3-ubyte as good test images/);
  const png = await source.train[4]!.read();
  const { data, info } = await sharp(png).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels, ...new Set(data)], [4, 3, 1, 101]);

  const only = await temporary(t);
  await writeFile(path.join(only, 'images-idx3-ubyte'), idx(6));
  assert.deepEqual(
    [(await openSource(only, {})).train.length, (await openSource(only, {})).good.length],
    [6, 0],
  );
  assert.equal((await idxSamples(path.join(only, 'images-idx3-ubyte'))).length, 6);
});

test('a damaged IDX file is refused with what is wrong in it', async (t) => {
  const folder = await temporary(t);
  const labels = idx(3);
  labels.writeUInt32BE(0x801, 0);
  const cases: [string, Buffer, RegExp][] = [
    ['short', idx(3).subarray(0, 9), /it ends after 9 bytes/],
    [
      'cut',
      idx(3).subarray(0, 50),
      /promises 3 images of 4 x 3, 52 bytes in all, but it is cut off after 50/,
    ],
    ['long', Buffer.concat([idx(3), Buffer.alloc(5)]), /but 5 more follow/],
    ['labels', labels, /holds labels/],
    ['text', Buffer.from('This is some text, no IDX file.'), /magic number is 0x54686973/],
    ['none', idx(0), /holds 0 images/],
    ['gz', gzipSync(idx(3)).subarray(0, 30), /cannot be unpacked/],
  ];
  for (const [name, content, message] of cases) {
    await writeFile(path.join(folder, name), content);
    await assert.rejects(readIdx(path.join(folder, name)), { name: 'TrainerError', message });
  }
  await assert.rejects(readIdx(path.join(folder, 'missing')), /cannot be read \(ENOENT\)/);
});

test('each layout of folders is recognised, and said', async (t) => {
  const cases: [string[], readonly [number, number, Record<string, number>], RegExp][] = [
    [
      ['train_good/1.png', 'test_good/2.png', 'test_anomalous/crack/3.png', 'test_anomalous/hole/4.png'],
      [1, 1, { crack: 1, hole: 1 }],
      /train_good to train on, test_good .* \(crack 1, hole 1\)/,
    ],
    [
      ['train/good/1.png', 'test/good/2.png', 'test/bent/3.png', 'test/cut/4.png', 'ground_truth/cut/4.png'],
      [1, 1, { bent: 1, cut: 1 }],
      /train\/good to train on, test\/good .*bent 1, cut 1/,
    ],
    [
      ['train/1.png', 'train/2.png', 'test/good/3.png', 'test/poor/4.png'],
      [2, 1, { poor: 1 }],
      /Folders train to/,
    ],
    [['good/1.png', 'test/good/2.png', 'test/poor/3.png'], [1, 1, { poor: 1 }], /Folders good to train on/],
    [
      ['train/NORMAL/1.png', 'train/PNEUMONIA/2.png', 'test/NORMAL/3.png', 'test/PNEUMONIA/4.png'],
      [1, 1, { PNEUMONIA: 1 }],
      /train\/NORMAL to train on \(train\/PNEUMONIA left out\)/,
    ],
    [['1.png', 'a/2.png', 'test/good/3.png', 'test/poor/4.png'], [2, 1, { poor: 1 }], /all but test/],
    [['1.png', 'a/2.png', 'b/3.png'], [3, 0, {}], /all images in it are good/],
    [['1.png', 'test/2.png', 'test/a/3.png'], [3, 0, {}], /all images in it are good/],
  ];
  for (const [names, [train, good, poor], description] of cases) {
    const folder = await temporary(t);
    await files(folder, names);
    const source = await openSource(folder, {});
    const kinds = Object.fromEntries(
      [...Map.groupBy(source.poor, (s) => s.kind)].map(([k, some]) => [k, some.length]),
    );
    assert.deepEqual([source.train.length, source.good.length, kinds], [train, good, poor], names.join());
    assert.match(source.description, description);
    for (const sample of [...source.train, ...source.good, ...source.poor])
      assert.equal((await sample.read()).toString(), sample.name, 'names are relative to what was given');
  }
});

test('images that links bring from outside of the folder are counted, those within it are not', async (t) => {
  const folder = await temporary(t);
  await files(folder, ['here/1.png', 'here/kept/2.png', 'else/3.png', 'else/4.png', 'here-too/5.png']);
  const [here, other] = [path.join(folder, 'here'), await realpath(path.join(folder, 'else'))];
  await symlink(path.join(here, 'kept'), path.join(here, 'a-link-within'));
  await symlink(path.join(folder, 'nowhere'), path.join(here, 'dangling.png'));
  assert.doesNotMatch((await openSource(here, {})).description, /outside/);
  await symlink(other, path.join(here, 'linked'));
  await symlink(path.join(folder, 'here-too/5.png'), path.join(here, 'single.png'));
  const { train, description } = await openSource(here, {});
  assert.equal(train.length, 6);
  assert.ok(
    description.endsWith(
      `3 of 6 images lie outside of the folder and are used all the same, as links in it lead there (such as linked/3.png to ${other}/3.png).`,
    ),
    description,
  );
  await symlink(here, path.join(folder, 'by-link'));
  await rm(path.join(here, 'linked'));
  await rm(path.join(here, 'single.png'));
  assert.doesNotMatch((await openSource(path.join(folder, 'by-link'), {})).description, /outside/);
});

test('of folders of classes a fifth of the good images is kept for the test, near copies together', async (t) => {
  const folder = await temporary(t);
  for (const name of ['no_tumor', 'glioma']) await mkdir(path.join(folder, name));
  for (let i = 0; i < 8; i++) {
    const picture = await encode(noisyPixels(32, i), 32, 'png');
    await writeFile(path.join(folder, 'no_tumor', `${i}-a.png`), picture);
    for (const [name, gain] of [
      ['b', 0.8],
      ['c', 0.6],
    ] as const)
      await writeFile(
        path.join(folder, 'no_tumor', `${i}-${name}.png`),
        await sharp(picture).linear(gain, 20).png().toBuffer(),
      );
  }
  await files(folder, ['glioma/1.png']);
  const source = await openSource(folder, { seed: 5 });
  assert.deepEqual([source.train.length, source.good.length, source.poor.length], [21, 3, 1]);
  const numbers = (some: readonly { name: string }[]) =>
    new Set(some.map(({ name }) => /(\d+)-/.exec(name)![1]));
  assert.ok(numbers(source.train).isDisjointFrom(numbers(source.good)));
  assert.match(
    source.description,
    /no_tumor is good.*glioma 1.* 3 of the 24 good images \(a seeded 20 %.*8 groups/,
  );
  const names = async (seed: number) => (await openSource(folder, { seed })).good.map(({ name }) => name);
  assert.deepEqual(
    await names(5),
    source.good.map(({ name }) => name),
  );
  assert.notDeepEqual(await names(6), await names(5));
});

test('kinds come from names only where all have a word of few, that good images do not have', () => {
  const three = ['gl', 'me', 'pi'].flatMap((kind) => numbered(60, (i) => `Te-${kind}_${i}.jpg`));
  assert.deepEqual([...new Set(kindsInNames(three, ['Tr-no_1.jpg']))], ['gl', 'me', 'pi']);
  const variant = [...three, ...numbered(5, (i) => `Te-meTr_${i}.jpg`)];
  assert.deepEqual([...new Set(kindsInNames(variant, []))], ['gl', 'me', 'pi']);
  const eyes = ['left', 'right'].flatMap((side) => numbered(9, (i) => `${i}_${side}.jpg`));
  assert.equal(kindsInNames(eyes, ['3_left.jpg']), null);
  assert.equal(kindsInNames([...three, 'Te-xy_1.jpg'], []), null, 'a kind of one image');
  assert.equal(
    kindsInNames(
      numbered(20, (i) => `scan_${i}.png`),
      [],
    ),
    null,
    'one word',
  );
  assert.equal(
    kindsInNames(
      numbered(26, (i) => `${String.fromCharCode(97 + i)}_1.png`),
      [],
    ),
    null,
  );
});

test('an empty folder, a missing one, and one without good images are refused with what to do', async (t) => {
  const folder = await temporary(t);
  await assert.rejects(
    openSource(folder, {}),
    /is empty: expected good images in it .* Put at least 4 there/,
  );
  await assert.rejects(openSource(path.join(folder, 'none'), {}), /does not exist\. Give a folder/);
  await files(folder, ['train_good/.keep', 'test_good/1.png']);
  await assert.rejects(openSource(folder, {}), /holds no good images to train on/);
});

test('labelled images come from folders, IDX files and a table, and keep their names apart', async (t) => {
  const folder = await temporary(t);
  await files(folder, ['a/good/1.png', 'b/poor/1.png', 'c/poor/1.png', 'table/x.png', 'table/y/z.png']);
  await writeFile(path.join(folder, 'other-idx3-ubyte'), idx(2));
  await writeFile(
    path.join(folder, 'table/labels.csv'),
    '\ufeffgroup,path,label\r\np1,x.png,Normal\r\n,"y/z.png",haze\r\n',
  );
  const at = (name: string) => path.join(folder, name);
  const samples = await labelledFrom({
    good: [at('a/good')],
    bad: [
      { name: 'one', folder: at('b/poor') },
      { name: 'two', folder: at('c/poor') },
      { name: 'idx', folder: at('other-idx3-ubyte') },
    ],
    csv: at('table/labels.csv'),
  });
  assert.deepEqual(
    samples.map(({ name, label, kind, group }) => [name, label, kind, group]),
    [
      ['good/1.png', 'good', 'good', null],
      [`${at('b/poor')}/1.png`, 'poor', 'one', null],
      [`${at('c/poor')}/1.png`, 'poor', 'two', null],
      ['other-idx3-ubyte#0', 'poor', 'idx', null],
      ['other-idx3-ubyte#1', 'poor', 'idx', null],
      ['x.png', 'good', 'good', 'p1'],
      ['y/z.png', 'poor', 'haze', null],
    ],
  );
  await assert.rejects(labelledFrom({ good: [], bad: [] }), /No labelled images were given\. Name a folder/);
  await mkdir(at('empty'));
  await assert.rejects(labelledFrom({ good: [at('empty')], bad: [] }), /is empty: expected labelled images/);
});

test('a wrong row of a table is refused with its line and what was expected', async (t) => {
  const folder = await temporary(t);
  await files(folder, ['x.png']);
  const csv = path.join(folder, 'labels.csv');
  const cases: [string, RegExp][] = [
    ['', /is empty\. Expected a header "path,label"/],
    ['file,class\nx.png,good\n', /line 1: the header is "file,class"\. Expected a header/],
    ['path,label\n', /holds a header and no images/],
    ['path,label\nx.png,good\n\nx.png,\n', /line 4: the label of x\.png is missing\. Expected path,label/],
    ['path,label\n,good\n', /line 2: the path is missing/],
    ['path,label\nx.png\n', /line 2: 1 columns instead of 2/],
    ['path,label\nx.png,good\nnone.png,poor\n', /line 3: there is no file .*none\.png/],
    ['path,label\n"x.png,good\n', /is no table of comma-separated values/],
  ];
  for (const [content, message] of cases) {
    await writeFile(csv, content);
    await assert.rejects(
      labelledFrom({ good: [], bad: [], csv }),
      { name: 'TrainerError', message },
      content,
    );
  }
  await assert.rejects(
    labelledFrom({ good: [], bad: [], csv: path.join(folder, 'no.csv') }),
    /cannot be read/,
  );
});

test('property: labelled images are divided by group and by kind, about as asked', () => {
  const random = randomFor(3, 'labelled test');
  for (let round = 0; round < 100; round++) {
    const share = 0.2 + 0.5 * random();
    const samples = ['good', 'a', 'b'].flatMap((kind) =>
      numbered(60, (i) => `${kind}${Math.floor(i / 3)}`).map((group, i): LabelledSample => {
        const label = kind === 'good' ? 'good' : 'poor';
        return { name: `${kind}/${i}`, path: null, group, label, kind, read: async () => new Uint8Array() };
      }),
    );
    const { tuning, test: kept } = splitLabelled(samples, share, round);
    assert.deepEqual([...tuning, ...kept].map((s) => s.name).sort(), samples.map((s) => s.name).sort());
    assert.ok(new Set(tuning.map((s) => s.group)).isDisjointFrom(new Set(kept.map((s) => s.group))));
    for (const kind of ['good', 'a', 'b']) {
      const count = tuning.filter((s) => s.kind === kind).length;
      assert.ok(Math.abs(count - 60 * share) <= 3, `${count} of 60 for ${share}`);
    }
    assert.deepEqual(splitLabelled(samples, share, round).tuning, tuning);
  }
  const one = {
    name: '1',
    path: null,
    group: null,
    label: 'good',
    kind: 'good',
    read: async () => new Uint8Array(),
  } as const;
  assert.deepEqual(splitLabelled([one, { ...one, name: '2' }], 0, 1).tuning, []);
  assert.equal(splitLabelled([one, { ...one, name: '2' }], 0.9, 1).test.length, 1, 'the test keeps some');
});
