import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { readiness } from '../../agent/ingest/ready.ts';
import { type Element, SYNTAX, writeDicom } from '../support/dicom.ts';
import { noisyPixels, smoothPixels } from '../support/images.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'ready-'));
test.after(() => rm(folder, { recursive: true }));

const SIZE = 24;
const image = () => sharp(noisyPixels(SIZE, 1), { raw: { width: SIZE, height: SIZE, channels: 3 } });

const FILES: Record<string, () => Promise<Buffer>> = {
  'JPEG, baseline': () => image().jpeg().toBuffer(),
  'JPEG, progressive': () => image().jpeg({ progressive: true }).toBuffer(),
  'JPEG with a thumbnail': async () => withThumbnail(await image().jpeg().toBuffer()),
  'JPEG padded to an even size': async () =>
    Buffer.concat([await image().jpeg().toBuffer(), Buffer.alloc(1)]),
  PNG: () => image().png().toBuffer(),
  'TIFF in strips': () => image().tiff({ compression: 'none' }).toBuffer(),
  'TIFF in tiles, pyramid': () =>
    image()
      .resize(300)
      .tiff({ tile: true, tileWidth: 64, tileHeight: 64, pyramid: true, compression: 'lzw' })
      .toBuffer(),
  BigTIFF: () => image().tiff({ bigtiff: true, compression: 'deflate' }).toBuffer(),
  'TIFF, big-endian, directory first': async () => bigEndianTiff(),
  WebP: () => image().webp().toBuffer(),
  'WebP, lossless': () => image().webp({ lossless: true }).toBuffer(),
  GIF: () => image().gif().toBuffer(),
  BMP: async () => bmp(),
  'DICOM, native': async () => dicom(SYNTAX.explicit),
  'DICOM, big endian': async () => dicom(SYNTAX.bigEndian),
  'DICOM, implicit, sequences with delimiters': async () => dicom(SYNTAX.implicit),
  'DICOM without preamble': async () => dicom(null),
  'DICOM in fragments': async () => fragmentedDicom(),
};

for (const [name, make] of Object.entries(FILES)) {
  test(`${name}: complete only with its last byte`, async () => {
    const bytes = await make();
    const file = path.join(folder, 'capture');
    await writeFile(file, bytes);
    const handle = await open(file, 'r+');
    try {
      assert.equal(await readiness(handle, bytes.length), 'complete');
      // Trailing padding is no part of the picture.
      const end = bytes.length - (name.includes('padded') ? 1 : 0) - 1;
      for (let size = end; size > 0; size -= size > 2000 ? 97 : 1) {
        await handle.truncate(size);
        assert.equal(await readiness(handle, size), 'unknown', `first ${size} of ${bytes.length} bytes`);
      }
    } finally {
      await handle.close();
    }
  });

  test(`${name}: unknown while its allocated space is filled`, async () => {
    const bytes = await make();
    const file = path.join(folder, 'allocated');
    const step = Math.ceil(bytes.length / 40);
    // Zeros that end a file are its own, and the value that ends a TIFF directory is not looked at: 16 bytes.
    const most = bytes.findLastIndex((byte) => byte !== 0) - 16;
    const points = Array.from({ length: 40 }, (_, i) => step * i).filter((at) => at < most);
    for (const filled of [...points, most]) {
      await writeFile(file, Buffer.concat([bytes.subarray(0, filled), Buffer.alloc(bytes.length - filled)]));
      const handle = await open(file);
      const said = await readiness(handle, bytes.length);
      await handle.close();
      assert.equal(said, 'unknown', `${filled} of ${bytes.length} bytes written`);
    }
  });
}

test('other content, hostile content and content that ends early are unknown', async () => {
  const jpeg = await image().jpeg().toBuffer();
  const tiff = await image().tiff().toBuffer();
  const loop = Buffer.from(tiff); // its directory points to itself as the next one, without any strip
  const directory = loop.readUInt32LE(4);
  const entries = loop.readUInt16LE(directory);
  for (let i = 0; i < entries; i++) loop.writeUInt16LE(65000, directory + 2 + 12 * i);
  loop.writeUInt32LE(directory, directory + 2 + 12 * entries);
  const endless = Buffer.from(tiff);
  endless.writeUInt16LE(65535, directory);
  for (const [what, bytes] of Object.entries({
    empty: Buffer.alloc(0),
    zeros: Buffer.alloc(5000),
    text: Buffer.from('not an image, though long enough to look at'),
    'JPEG with other bytes after it': Buffer.concat([jpeg, Buffer.from('appended')]),
    'EOI without a scan': Buffer.concat([
      Buffer.from('ffd8ffe00010', 'hex'),
      Buffer.alloc(14),
      Buffer.from('ffd9', 'hex'),
    ]),
    'TIFF whose directories form a loop': loop,
    'TIFF with more entries than bytes': endless,
    'TIFF header alone': Buffer.concat([tiff.subarray(0, 4), Buffer.alloc(40, 0xff)]),
    'DICOM, deflated': dicom(SYNTAX.deflated),
    'DICOM with other bytes after it': Buffer.concat([dicom(SYNTAX.explicit), Buffer.from('appended')]),
    'DICOM without pixels': writeDicom({ width: 8, height: 8, pixels: null }),
    'DICOM of endless fragments': Buffer.concat([
      fragmentedDicom().subarray(0, -8),
      ...Array.from({ length: 5000 }, () => Buffer.from('feff00e000000000', 'hex')),
      Buffer.from('feffdde000000000', 'hex'),
    ]),
    'BigTIFF with an offset beyond 2^53': Buffer.concat([
      Buffer.from('49492b0008000000', 'hex'),
      Buffer.alloc(40, 0xff),
    ]),
  })) {
    const file = path.join(folder, 'other');
    await writeFile(file, bytes);
    const handle = await open(file);
    assert.equal(await readiness(handle, bytes.length), 'unknown', what);
    await handle.close();
  }
});

/** Its own icon, within a sequence, ends earlier: those pixels must not count. */
function dicom(syntax: string | null): Buffer {
  const pixels = Buffer.from(noisyPixels(SIZE, 2)).map((v) => v | 1);
  const icon: Element = [0x00880200, 'SQ', [[[0x7fe00010, 'OB', pixels.subarray(0, 64)]]]];
  const colour = { samples: 3, photometric: 'RGB', planar: 0 };
  const delimited = syntax === SYNTAX.implicit;
  return writeDicom({ width: SIZE, height: SIZE, pixels, syntax, delimited, elements: [icon], ...colour });
}

function fragmentedDicom(): Buffer {
  const fragments = [noisyPixels(10, 3), noisyPixels(12, 4)];
  const pixels = { table: new Uint8Array(), fragments };
  return writeDicom({ width: 64, height: 64, syntax: SYNTAX.jpegLs, pixels });
}

/** A JPEG within an APP1 segment: its own EOI must not count. */
function withThumbnail(jpeg: Buffer): Buffer {
  const header = Buffer.from([0xff, 0xe1, 0, 0]);
  header.writeUInt16BE(jpeg.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), header, jpeg, jpeg.subarray(2)]);
}

/** 8 x 8 grey, one strip after the directory. */
function bigEndianTiff(): Buffer {
  const entries = [
    [256, 3, 8],
    [257, 3, 8],
    [258, 3, 8],
    [262, 3, 1],
    [273, 4, 8 + 2 + 12 * 6 + 4],
    [279, 4, 64],
  ] as const;
  const head = Buffer.alloc(8 + 2 + 12 * entries.length + 4);
  head.write('MM\0*', 'latin1');
  head.writeUInt32BE(8, 4);
  head.writeUInt16BE(entries.length, 8);
  for (const [i, [tag, type, value]] of entries.entries()) {
    const at = 10 + 12 * i;
    head.writeUInt16BE(tag, at);
    head.writeUInt16BE(type, at + 2);
    head.writeUInt32BE(1, at + 4);
    if (type === 3) head.writeUInt16BE(value, at + 8);
    else head.writeUInt32BE(value, at + 8);
  }
  return Buffer.concat([head, Buffer.alloc(64, 77)]);
}

/** 24 x 24 RGB, uncompressed. */
function bmp(): Buffer {
  const head = Buffer.alloc(54);
  const pixels = Buffer.from(smoothPixels(SIZE, 2));
  head.write('BM', 'latin1');
  head.writeUInt32LE(54 + pixels.length, 2);
  head.writeUInt32LE(54, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(SIZE, 18);
  head.writeInt32LE(SIZE, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(24, 28);
  return Buffer.concat([head, pixels]);
}
