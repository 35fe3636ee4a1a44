import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { decode } from '../../../agent/inspect/decode.ts';
import { withoutDicom } from '../../../agent/inspect/dicom/convert.ts';
import { type Element, SYNTAX, words, writeDicom } from '../../support/dicom.ts';
import {
  asShown,
  byte,
  bytes8,
  COUNT,
  colours,
  drawn,
  ds,
  LIMITS,
  ramp,
  rgb,
  show,
  toPlanes,
  windowOf,
} from './dicomFixture.ts';

test('8 bits without a window come out as they are stored, MONOCHROME1 turned over', async () => {
  assert.deepEqual(await show(drawn({})), [...bytes8]);
  assert.deepEqual(
    await show(drawn({ photometric: 'MONOCHROME1' })),
    [...bytes8].map((v) => 255 - v),
  );
  const inverse: Element[] = [[0x20500020, 'CS', 'INVERSE']];
  assert.deepEqual(
    await show(drawn({ elements: inverse })),
    [...bytes8].map((v) => 255 - v),
  );
});

test('the same pixels in each encoding of the elements, with and without preamble', async () => {
  const values = ramp(-2000, 16);
  const drawing = { allocated: 16, signed: true, elements: windowOf(40, 400) };
  const expected = await show(drawn({ ...drawing, pixels: words(values) }));
  assert.ok(new Set(expected).size > 20, 'the picture has shades');
  for (const [name, syntax] of [
    ['implicit', SYNTAX.implicit],
    ['deflated', SYNTAX.deflated],
    ['big endian', SYNTAX.bigEndian],
    ['no preamble', null],
  ] as const) {
    const pixels = words(values, syntax === SYNTAX.bigEndian);
    assert.deepEqual(await show(drawn({ ...drawing, syntax, pixels })), expected, name);
  }
  const file = drawn({ ...drawing, pixels: words(values) });
  assert.deepEqual(await show(file.subarray(132)), expected, 'file meta information without a preamble');
});

test('10 to 16 bits stored, signed and unsigned: what lies above is masked, the sign is extended', async () => {
  for (const stored of [10, 12, 15, 16])
    for (const signed of [false, true]) {
      const [least, most] = signed ? [-(2 ** (stored - 1)), 2 ** (stored - 1) - 1] : [0, 2 ** stored - 1];
      const values = Array.from({ length: COUNT }, (_, i) =>
        Math.round(least + ((most - least) * i) / (COUNT - 1)),
      );
      const dirt = stored === 16 ? 0 : 1 << (stored % 16); // an overlay in the unused bits, as once was usual
      const pixels = words(values.map((v) => (v & (2 ** stored - 1)) | dirt));
      const shown = await show(drawn({ allocated: 16, stored, signed, pixels }), 1, 'range');
      assert.deepEqual(
        shown,
        values.map((v) => byte((255 * (v - least)) / (most - least))),
        `${stored} bits, ${signed ? 'signed' : 'unsigned'}`,
      );
    }
});

test('bits stored that end below the highest bit are moved down', async () => {
  const high: Element[] = [[0x00280102, 'US', [15]]];
  const pixels = words([...bytes8].map((v) => (v << 4) << 4));
  const shown = await show(drawn({ allocated: 16, stored: 12, elements: high, pixels }), 1, 'range');
  assert.deepEqual(shown, [...bytes8]);
});

test('one bit a sample, the second frame beginning within a byte', async () => {
  const bits = Array.from({ length: 2 * 9 * 9 }, (_, i) => (i * i) % 3 === 0);
  const pixels = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [i, bit] of bits.entries()) if (bit) pixels[i >> 3]! |= 1 << (i & 7);
  const file = writeDicom({ width: 9, height: 9, pixels, allocated: 1, frames: 2 });
  const spec = { ...asShown(1, 2), width: 9, height: 9 };
  assert.deepEqual(
    [...(await decode(file, spec, LIMITS)).pixels],
    bits.map((bit) => (bit ? 255 : 0)),
  );
});

test('windows: PS3.3 C.11.2.1.2 and C.11.2.1.3, after the rescale; the first of several', async () => {
  const values = ramp(0, 16);
  const rescale = [ds(0x00281052, -1024), ds(0x00281053, 2)];
  const hu = values.map((v) => 2 * v - 1024);
  const file = (...more: Element[]) =>
    drawn({ allocated: 16, stored: 12, pixels: words(values), elements: [...rescale, ...more] });
  const linear = hu.map((x) => byte(255 * ((x - 39.5) / 399 + 0.5)));
  assert.deepEqual(await show(file(...windowOf(40, 400))), linear);
  assert.deepEqual(await show(file(ds(0x00281050, '40\\500'), ds(0x00281051, '400\\2000'))), linear);
  assert.deepEqual(
    await show(file(...windowOf(40, 400, 'LINEAR_EXACT'))),
    hu.map((x) => byte(255 * ((x - 40) / 400 + 0.5))),
  );
  assert.deepEqual(
    await show(file(...windowOf(40, 400, 'SIGMOID'))),
    hu.map((x) => byte(255 / (1 + Math.exp((-4 * (x - 40)) / 400)))),
  );
  assert.deepEqual(
    await show(file(...windowOf(40, 1))),
    hu.map((x) => (x > 39.5 ? 255 : 0)),
  );
});

test('the preprocessing says which window: its own, or the range of the frame', async () => {
  const file = drawn({ allocated: 16, pixels: words(ramp(1000, 4)), elements: windowOf(1, 2) });
  assert.deepEqual(new Set(await show(file)), new Set([255]));
  assert.deepEqual(await show(file, 1, 'range'), [...bytes8]);
  assert.deepEqual(
    await show(file, 1, { center: 1200, width: 400 }),
    ramp(1000, 4).map((x) => byte(255 * ((x - 1199.5) / 399 + 0.5))),
  );
});

test('lookup tables: modality, values of interest, in sequences with and without lengths', async () => {
  const table = (first: number, entries: number[], bits: number): Element[] => [
    [0x00283002, 'US', [entries.length, first, bits]],
    [0x00283006, 'OW', words(entries)],
  ];
  const squares = ramp(0, 1, 100).map((v) => v * v); // of 50 .. 149
  const modality: Element = [0x00283000, 'SQ', [table(50, squares, 16)]];
  const voi: Element = [0x00283010, 'SQ', [table(0, ramp(4095, -0.5, 8000).map(Math.floor), 12)]];
  const at = (v: number) => squares[Math.min(99, Math.max(0, v - 50))]!;
  const expected = [...bytes8].map((v) =>
    byte((255 * Math.floor(4095 - 0.5 * Math.min(7999, at(v)))) / 4095),
  );
  for (const delimited of [false, true])
    for (const syntax of [SYNTAX.explicit, SYNTAX.implicit])
      assert.deepEqual(await show(drawn({ elements: [modality, voi], delimited, syntax })), expected);
});

test('a frame has the window and the rescale of its own functional group, then of the shared one', async () => {
  const group = (center: number): Element[] => [[0x00289132, 'SQ', [windowOf(center, 101)]]];
  const shared: Element[] = [
    [0x00289145, 'SQ', [[ds(0x00281052, 10), ds(0x00281053, 1)]]],
    [0x00289132, 'SQ', [windowOf(999, 101)]],
  ];
  const elements: Element[] = [
    [0x52009229, 'SQ', [shared]],
    [0x52009230, 'SQ', [group(50), group(150)]],
  ];
  const pixels = Uint8Array.from([...bytes8, ...bytes8]);
  const { pixels: shown } = await decode(drawn({ frames: 2, pixels, elements }), asShown(1, 2), LIMITS);
  const expected = [50, 150].flatMap((c) =>
    [...bytes8].map((v) => byte(255 * ((v + 10 - c + 0.5) / 100 + 0.5))),
  );
  assert.deepEqual([...shown], expected);
});

test('several frames are the pages of a sequence; a still model sees the first', async () => {
  const pixels = Uint8Array.from([10, 20, 30, 40].flatMap((v) => new Array<number>(COUNT).fill(v)));
  const file = drawn({ frames: 4, pixels });
  assert.deepEqual(new Set(await show(file)), new Set([10]));
  const two = (await decode(file, asShown(1, 2), LIMITS)).pixels;
  assert.deepEqual([two[0], two[COUNT]], [10, 30]);
});

test('colour: interleaved, by planes, 16 bits, YBR full and 4:2:2, palettes of 8 and 16 bits', async () => {
  const expected = [...colours];
  assert.deepEqual(await show(drawn({ ...rgb, pixels: colours }), 3), expected);
  assert.deepEqual(await show(drawn({ ...rgb, planar: 1, pixels: toPlanes(colours) }), 3), expected);
  const deep = words([...colours].map((v) => v * 257));
  assert.deepEqual(await show(drawn({ ...rgb, allocated: 16, pixels: deep }), 3), expected);

  const ybr = Uint8Array.from(
    { length: 3 * COUNT },
    (_, i) => 60 + ((Math.floor(i / 6) * 7 + (i % 3) * 50) % 120),
  );
  const fromYbr = ramp(0, 1).flatMap((i) => {
    const [y, cb, cr] = [ybr[3 * i]!, ybr[3 * i + 1]! - 128, ybr[3 * i + 2]! - 128];
    return [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb].map(byte);
  });
  const full = await show(drawn({ ...rgb, photometric: 'YBR_FULL', pixels: ybr }), 3);
  assert.deepEqual(full, fromYbr);
  // Both pixels of a pair have the same chroma here, so that nothing is lost.
  const halved = ramp(0, 1, COUNT / 2).flatMap((i) => [
    ybr[6 * i]!,
    ybr[6 * i + 3]!,
    ybr[6 * i + 1]!,
    ybr[6 * i + 2]!,
  ]);
  const subsampled = drawn({ ...rgb, photometric: 'YBR_FULL_422', pixels: Uint8Array.from(halved) });
  assert.deepEqual(await show(subsampled, 3), fromYbr);

  const table = (c: number) => ramp(0, 1).map((i) => colours[3 * i + c]!);
  for (const bits of [8, 16]) {
    const palette = [0, 1, 2].flatMap((c): Element[] => [
      [0x00281101 + c, 'US', [256, 0, bits]],
      [0x00281201 + c, 'OW', bits === 8 ? Uint8Array.from(table(c)) : words(table(c).map((v) => v * 256))],
    ]);
    const file = drawn({ photometric: 'PALETTE COLOR', elements: palette });
    assert.deepEqual(await show(file, 3), expected, `palette of ${bits} bits`);
  }
});

test('what the trainer hands to sharp is what the device shows', async () => {
  const grey = drawn({ allocated: 16, pixels: words(ramp(0, 16)), elements: windowOf(2000, 3000) });
  const colour = drawn({ ...rgb, pixels: colours });
  for (const [file, channels] of [
    [grey, 1],
    [colour, 3],
  ] as const) {
    const raw = await sharp(await withoutDicom(file))
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.equal(raw.info.channels, channels);
    assert.deepEqual([...raw.data], await show(file, channels));
  }
  const jpeg = Buffer.from('ffd8ffe0', 'hex');
  assert.equal(await withoutDicom(jpeg), jpeg);
});
