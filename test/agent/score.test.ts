import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { imageRef, siteKey } from '../../agent/deliver/identity.ts';
import { AGENT, runAgent } from '../support/agent.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-score-'));
const pictures = path.join(folder, 'pictures');
let bundle: string;
before(async () => {
  bundle = (await makeTestBundle(folder)).path;
  mkdirSync(path.join(pictures, 'sub'), { recursive: true });
  await writeCapture(path.join(pictures, 'a.jpg'), 'smooth', 1);
  await writeCapture(path.join(pictures, 'sub', 'b.jpg'), 'noisy', 2);
});

const parse = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('--json prints one line per image; exit 0 when all were scored', async () => {
  const { code, stdout } = await runAgent(['score', bundle, pictures, '--json']);
  assert.equal(code, 0);
  const lines = parse(stdout);
  assert.deepEqual(
    lines.map((l) => [path.basename(l.path), l.verdict, l.reason]),
    [
      ['a.jpg', 'pass', null],
      ['b.jpg', 'review', 'above-threshold'],
    ],
  );
  for (const line of lines) {
    assert.equal(typeof line.score, 'number');
    assert.ok(line.p > 0 && line.p <= 1);
    assert.match(line.ref, /^[0-9a-f]{32}$/);
  }
  assert.ok(lines[1].score > lines[1].threshold);
});

test('an unscorable file has score null and a reason, the next goes on, exit 3', async () => {
  const bad = path.join(folder, 'bad.jpg');
  writeFileSync(bad, 'text');
  const dangling = path.join(folder, 'dangling.jpg');
  symlinkSync('none.jpg', dangling);
  const { code, stdout } = await runAgent([
    'score',
    bundle,
    bad,
    dangling,
    path.join(pictures, 'a.jpg'),
    '--json',
  ]);
  assert.equal(code, 3);
  assert.deepEqual(
    parse(stdout).map((l) => [l.score === null, l.verdict, l.reason]),
    [
      [true, 'unscorable', 'unsupported-format'],
      [true, 'unscorable', 'dangling-link'],
      [false, 'pass', null],
    ],
  );
});

test('wrong usage exits 2, a refused bundle 1, both with a reason and no stack', async () => {
  const cases: [string[], number, RegExp?][] = [
    [['score'], 2],
    [['score', bundle], 2],
    [['scor', bundle, pictures], 2],
    [['score', bundle, pictures, '--jsn'], 2],
    [['score', path.join(folder, 'bad.jpg'), pictures], 1],
    [['score', bundle, pictures, path.join(folder, 'none.jpg')], 2, /none\.jpg: no such file/],
    [['score', folder, pictures], 1, /is a folder, and a bundle is a file.*bundle\.onnx/],
    [['inspect', path.join(folder, 'none.onnx')], 1, /no bundle .*none\.onnx.*trainer fit/],
    [['score', bundle, pictures, '--map', '/proc/plumbline/maps'], 2, /cannot be made .*--map/],
    [['check', '--config', path.join(folder, 'none.yaml')], 2, /is missing/],
  ];
  for (const [args, expected, message = /error:/] of cases) {
    const { code, stderr, stdout } = await runAgent(args);
    assert.equal(code, expected, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /error:/);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

test('a folder is walked into, whatever its name', async () => {
  const tree = path.join(folder, 'tree.jpg');
  mkdirSync(path.join(tree, 'x.jpg'), { recursive: true });
  copyFileSync(path.join(pictures, 'a.jpg'), path.join(tree, 'x.jpg', 'inside.jpg'));
  const { code, stdout } = await runAgent(['score', bundle, tree, '--json']);
  assert.deepEqual(
    [code, parse(stdout).map((l) => [path.relative(tree, l.path), l.verdict])],
    [0, [['x.jpg/inside.jpg', 'pass']]],
  );
});

test('a reader that has had enough ends it without a word', async () => {
  const many = Array.from({ length: 40 }, () => pictures);
  const child = spawn(AGENT, ['score', bundle, ...many, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.equal(said, '');
});

test('--map writes a picture per image; --state gives the refs of that agent', async () => {
  const maps = path.join(folder, 'maps');
  const state = path.join(folder, 'state');
  mkdirSync(state);
  const key = siteKey(state);
  const none = await runAgent(['score', bundle, pictures, '--state', path.dirname(state)]);
  assert.match(none.stderr, /There is no site key in /, 'reading makes none');
  const { stdout } = await runAgent(['score', bundle, pictures, '--json', '--map', maps, '--state', state]);
  assert.deepEqual(
    parse(stdout).map((l) => l.ref),
    [imageRef(key, 'a.jpg'), imageRef(key, 'sub/b.jpg')],
  );
  assert.deepEqual(
    parse(stdout).map((l) => l.mapAlarm),
    [false, true],
  );
  const names = readdirSync(maps).sort();
  assert.deepEqual(names, ['0001-a.png', '0002-b.png']);
  const [calm, loud] = await Promise.all(
    names.map(async (name) => {
      const { data, info } = await sharp(path.join(maps, name)).raw().toBuffer({ resolveWithObject: true });
      assert.deepEqual([info.width, info.height], [2 * 320 + 8, 320]);
      let sum = 0;
      for (let y = 0; y < 320; y++)
        for (let x = 328; x < 648; x++) sum += data[(y * 648 + x) * info.channels]!;
      return sum;
    }),
  );
  assert.ok(loud! > 3 * calm!, 'the map of the noisy image is hotter');
});

test('inspect says what a bundle is and proves it', async () => {
  const { code, stdout } = await runAgent(['inspect', bundle]);
  assert.equal(code, 0);
  assert.match(stdout, /threshold .*conformal alpha 0\.05/);
  assert.match(stdout, /golden samples on cpu: largest relative difference/);
  const json = await runAgent(['inspect', bundle, '--json']);
  assert.equal(JSON.parse(json.stdout).format, 1);
});

test('an execution provider that is not there is an error, not a silent fall back', async () => {
  const { code, stderr } = await runAgent(['score', bundle, pictures, '--execution-provider', 'cuda']);
  assert.equal(code, 1);
  assert.match(stderr, /does not load on execution provider cuda[\s\S]*onnxruntime-node-install=cuda12/);
});

test('onnxruntime keeps no usage data and sends none: its store is not even made', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'plumbline-home-'));
  const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...environment } = process.env;
  execFileSync(AGENT, ['inspect', bundle], { env: { ...environment, HOME: home } });
  assert.deepEqual(readdirSync(home), []);
});
