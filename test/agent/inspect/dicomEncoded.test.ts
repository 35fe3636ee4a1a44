import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { decode } from '../../../agent/inspect/decode.ts';
import { SYNTAX, words } from '../../support/dicom.ts';
import { type Encoder, encodeFrame, type Raw } from '../../support/dicomFrames.ts';
import { random } from '../../support/images.ts';
import { asShown, bytes8, COUNT, colours, drawn, LIMITS, rgb, show, size } from './dicomFixture.ts';

test('encoded without loss: RLE, JPEG lossless, JPEG-LS and JPEG 2000 show what native pixels do', async () => {
  const uniform = random(7);
  const encodings: [keyof typeof SYNTAX, Encoder][] = [
    ['rle', 'encodeRle'],
    ['jpegLossless', 'encodeJpeg'],
    ['jpegLs', 'encodeJpegLs'],
    ['jpeg2000', 'encodeJpeg2000'],
  ];
  const raws: Record<string, Omit<Raw, 'width' | 'height'>> = {
    'grey, 8 bits': { samples: 1, allocated: 8, stored: 8, signed: false, bytes: bytes8 },
    'grey, 12 bits': {
      ...{ samples: 1, allocated: 16, stored: 12, signed: false },
      bytes: words(Array.from({ length: COUNT }, () => uniform() * 4096)),
    },
    'grey, 16 bits signed': {
      ...{ samples: 1, allocated: 16, stored: 16, signed: true },
      bytes: words(Array.from({ length: COUNT }, () => (uniform() - 0.5) * 65536)),
    },
    colour: { samples: 3, allocated: 8, stored: 8, signed: false, bytes: colours },
  };
  for (const [name, raw] of Object.entries(raws)) {
    const { samples, allocated, stored, signed, bytes } = raw;
    const channels = samples === 3 ? 3 : 1;
    const form = { allocated, stored, signed, ...(samples === 3 && rgb) };
    const expected = await show(drawn({ ...form, pixels: bytes }), channels);
    for (const [syntax, encoder] of encodings) {
      const stream = await encodeFrame(encoder, { ...raw, ...size });
      const half = Math.ceil(stream.length / 4) * 2;
      const whole = { table: new Uint8Array(), fragments: [stream] };
      const cut = { table: new Uint8Array(), fragments: [stream.subarray(0, half), stream.subarray(half)] };
      for (const pixels of [whole, cut]) {
        const photometric = syntax === 'jpeg2000' && samples === 3 ? { photometric: 'YBR_RCT' } : {};
        const file = drawn({ ...form, ...photometric, syntax: SYNTAX[syntax], pixels });
        assert.deepEqual(await show(file, channels), expected, `${syntax}, ${name}`);
      }
    }
  }
});

test('JPEG in colour shows what the same JPEG shows as a file of its own', async () => {
  const smooth = Uint8Array.from({ length: 3 * COUNT }, (_, i) => 128 + 90 * Math.sin(i / 90 + (i % 3)));
  const jpeg = await sharp(smooth, { raw: { ...size, channels: 3 } })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer();
  const pixels = { table: new Uint8Array(), fragments: [jpeg] };
  const shown = await show(drawn({ ...rgb, photometric: 'YBR_FULL', syntax: SYNTAX.jpeg, pixels }), 3);
  const alone = (await decode(jpeg, asShown(3), LIMITS)).pixels;
  const most = Math.max(...shown.map((v, i) => Math.abs(v - alone[i]!)));
  assert.ok(most <= 2, `differs by ${most} of 255`);
});

test('frames in fragments: one each, by the offset table, by the end of each image', async () => {
  const frames = await Promise.all(
    [0, 1, 2].map((f) =>
      encodeFrame('encodeJpeg', {
        ...{ ...size, samples: 1, allocated: 8, stored: 8, signed: false },
        bytes: Uint8Array.from(bytes8, (v) => (v + 80 * f) % 256),
      }),
    ),
  );
  const expected = [0, 1, 2].flatMap((f) => [...bytes8].map((v) => (v + 80 * f) % 256));
  const even = (b: Uint8Array) => Buffer.concat([b, Buffer.alloc(b.length % 2)]);
  const halves = frames.flatMap((f) => [f.subarray(0, 100), f.subarray(100)]);
  const table = Buffer.alloc(12);
  let at = 0;
  for (const [i, frame] of frames.entries()) {
    table.writeUInt32LE(at, 4 * i);
    at += 8 + 100 + 8 + even(frame.subarray(100)).length;
  }
  const none = new Uint8Array();
  for (const pixels of [
    { table: none, fragments: frames },
    { table, fragments: halves },
    { table: none, fragments: halves },
  ]) {
    const file = drawn({ frames: 3, syntax: SYNTAX.jpegLossless, pixels });
    assert.deepEqual([...(await decode(file, asShown(1, 3), LIMITS)).pixels], expected);
  }
});
