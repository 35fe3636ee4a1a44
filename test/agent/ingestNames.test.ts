/** Names in any bytes that Linux permits. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { captureAt } from '../../agent/ingest/look.ts';
import { nameOf, pathTo } from '../../agent/ingest/names.ts';
import { encode, smoothPixels } from '../support/images.ts';
import { collect, makeFolder } from './ingestCollector.ts';

const jpeg = await encode(smoothPixels(32, 1), 32);
const bytes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

test('UTF-8 is left as it is, and every name leads back to its bytes', () => {
  for (const text of ['a.jpg', 'ä ö/日本.png', '\u{1f4f7}.tif', '\u{fffd}.jpg', '\u{feff}x'])
    assert.equal(nameOf(Buffer.from(text)), text);
  assert.equal(pathTo('/captures', 'ä/b.jpg'), '/captures/ä/b.jpg');
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  };
  const seen = new Set<string>();
  // Bytes of which valid, cut-off, overlong and surrogate characters are made, and those of U+EF80..U+EFFF.
  const alphabet = [0x41, 0x80, 0xbe, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xee, 0xef, 0xf0, 0xf4, 0xff, 0xa0, 0x9f];
  for (let i = 0; i < 20_000; i++) {
    const name = Buffer.from(Array.from({ length: 1 + (random() % 6) }, () => alphabet[random() % 15]!));
    const text = nameOf(name);
    assert.ok(text.isWellFormed(), 'SQLite stores it as it is');
    assert.deepEqual(Buffer.from(pathTo('/f', text)), Buffer.concat([Buffer.from('/f/'), name]));
    seen.add(`${name.toString('hex')} ${text}`);
  }
  const texts = [...seen].map((pair) => pair.split(' ')[1]);
  assert.equal(new Set(texts).size, seen.size, 'two names never have one text');
});

test('files and folders of any name are captures, at the start and by events', async (t) => {
  const folder = await makeFolder(t);
  const at = (...parts: (string | number)[]) => bytes(`${folder}/`, ...parts);
  const long = 'ü'.repeat(125); // 250 bytes of 255
  mkdirSync(at('d', 0xfe));
  const before = [
    at('f', 0xff, '.jpg'),
    at('f', 0xfe, '.jpg'),
    at('d', 0xfe, '/x.jpg'),
    at('\u{ef80}.jpg'),
    at(0x80, '.jpg'),
    at(`${long}x.jpg`),
    at('TWIN.jpg'),
    at('twin.jpg'),
  ];
  for (const file of before) writeFileSync(file, jpeg);
  const ingest = await collect(t, folder);
  await ingest.swept;
  await ingest.idle();
  assert.equal(new Set(ingest.names()).size, 8);
  const during = [at('g', 0xff, '.jpg'), at('d', 0xfe, '/', 0xe9, '.jpg'), at(`${long}y.jpg`)];
  for (const file of during) writeFileSync(file, jpeg);
  await ingest.until(({ captures }) => captures.length === 11);
  appendFileSync(during[1]!, Buffer.alloc(1)); // a new version, zeros at whose end do not matter
  await ingest.until(({ captures }) => captures.length === 12);
  for (const { name, kind, size } of ingest.captures.slice(0, 11)) {
    assert.deepEqual([kind, size], ['file', jpeg.length], name);
    assert.deepEqual(readFileSync(pathTo(folder, name)).subarray(0, jpeg.length), jpeg);
  }
  const last = ingest.captures[11]!;
  assert.deepEqual(await captureAt(folder, last.name), last);
});
