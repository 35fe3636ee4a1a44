/** DICOM files that cannot be shown: the reason, the sentence, what is decided before anything is decoded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '../../../agent/inspect/decode.ts';
import { UnscorableError } from '../../../agent/inspect/inspection.ts';
import { REASONS } from '../../../config/verdict.ts';
import { type DicomDrawing, type Element, SYNTAX, words, writeDicom } from '../../support/dicom.ts';
import { encodeFrame } from '../../support/dicomFrames.ts';
import { random } from '../../support/images.ts';

const size = { width: 16, height: 16 };
const spec = { ...size, channels: 1, frames: 1, crop: 'none', fit: 'fill', kernel: 'nearest' } as const;
const LIMITS = { pixels: 1e6, bytes: 1e6 };
const pixels = Uint8Array.from({ length: 256 }, (_, i) => i);
const none = new Uint8Array();
const drawn = (drawing: Partial<DicomDrawing>) => writeDicom({ ...size, pixels, ...drawing });
const raw = { ...size, samples: 1, allocated: 8, stored: 8, signed: false, bytes: pixels };

async function refused(bytes: Uint8Array, limits = LIMITS): Promise<UnscorableError> {
  const error = await decode(bytes, spec, limits).then(
    () => assert.fail('a picture came out'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof UnscorableError, String(error));
  assert.ok(error.reason in REASONS);
  assert.match(error.message, /^[A-Z].*\.$/);
  return error;
}

test('each kind of defect has its reason', async () => {
  const file = drawn({});
  const us = (tag: number, value: number): Element => [tag, 'US', [value]];
  const jpegLs = await encodeFrame('encodeJpegLs', raw);
  const encoded = (fragments: Uint8Array[], more: Partial<DicomDrawing> = {}) =>
    drawn({ syntax: SYNTAX.jpegLs, pixels: { table: none, fragments }, ...more });
  assert.equal((await decode(encoded([jpegLs]), spec, LIMITS)).format, 'dicom');
  const cases: [string, Uint8Array, string][] = [
    ['pixels cut off', file.subarray(0, -10), 'truncated'],
    ['header cut off', file.subarray(0, 200), 'truncated'],
    ['deflated, cut off', drawn({ syntax: SYNTAX.deflated }).subarray(0, 250), 'truncated'],
    ['fragments without end', encoded([jpegLs]).subarray(0, -8), 'truncated'],
    ['fragment cut off', encoded([jpegLs]).subarray(0, -20), 'truncated'],
    ['no pixels', drawn({ pixels: null }), 'no-pixels'],
    ['too few pixels', drawn({ pixels: pixels.subarray(2) }), 'corrupt'],
    ['fewer frames than announced', drawn({ frames: 3 }), 'corrupt'],
    ['no width', drawn({ elements: [us(0x00280011, 0)] }), 'corrupt'],
    ['more bits stored than allocated', drawn({ elements: [us(0x00280101, 12)] }), 'corrupt'],
    ['three samples of grey', drawn({ samples: 3 }), 'corrupt'],
    ['32 bits', drawn({ elements: [us(0x00280100, 32)] }), 'unsupported-format'],
    ['CMYK', drawn({ photometric: 'CMYK' }), 'unsupported-format'],
    ['floating point', drawn({ pixels: null, elements: [[0x7fe00008, 'OB', pixels]] }), 'unsupported-format'],
    ['video', encoded([jpegLs], { syntax: '1.2.840.10008.1.2.4.102' }), 'unsupported-format'],
    ['native, called encoded', drawn({ syntax: SYNTAX.jpegLs }), 'corrupt'],
    ['encoded, called native', encoded([jpegLs], { syntax: SYNTAX.explicit }), 'corrupt'],
    ['no fragment', encoded([]), 'corrupt'],
    ['another codec', encoded([jpegLs], { syntax: SYNTAX.jpeg2000 }), 'corrupt'],
    ['a stream of nothing', encoded([new Uint8Array(64)]), 'corrupt'],
    ['half a stream', encoded([jpegLs.subarray(0, 60)]), 'corrupt'],
  ];
  for (const [name, bytes, reason] of cases) assert.equal((await refused(bytes)).reason, reason, name);
});

test('limits are told by the header, before anything is decoded', async () => {
  const rle = { syntax: SYNTAX.rle, pixels: { table: none, fragments: [new Uint8Array(64)] } };
  const wide = drawn({ ...rle, width: 60_000, height: 60_000 });
  assert.equal((await refused(wide)).reason, 'too-many-pixels');
  const sequence = { ...spec, frames: 2 };
  const long = drawn({ ...rle, frames: 1_000_000 });
  await assert.rejects(decode(long, sequence, LIMITS), { reason: 'too-many-pixels' });
  const bomb = drawn({ syntax: SYNTAX.deflated, pixels: new Uint8Array(4e6) });
  assert.ok(bomb.length < 1e4, 'deflated it is small');
  assert.equal((await refused(bomb)).reason, 'too-large');
});

test('a stream that is larger than announced never reaches the decoder', async () => {
  const large = { ...raw, width: 256, height: 256, bytes: new Uint8Array(65_536) };
  for (const [syntax, encoder] of [
    ['jpegLossless', 'encodeJpeg'],
    ['jpegLs', 'encodeJpegLs'],
    ['jpeg2000', 'encodeJpeg2000'],
  ] as const) {
    const fragments = [await encodeFrame(encoder, large)];
    const { reason, message } = await refused(
      drawn({ syntax: SYNTAX[syntax], pixels: { table: none, fragments } }),
    );
    assert.equal(reason, 'corrupt');
    assert.match(message, /256 x 256 x 1, where 16 x 16 x 1 is announced/, syntax);
  }
});

test('after a damaged frame the next one is decoded as ever', async () => {
  const stream = await encodeFrame('encodeJpeg2000', raw);
  const file = (fragment: Uint8Array) =>
    drawn({ syntax: SYNTAX.jpeg2000, pixels: { table: none, fragments: [fragment] } });
  const expected = (await decode(file(stream), spec, LIMITS)).pixels;
  const damaged = Uint8Array.from(stream, (v, i) => (i > 50 && i % 7 === 0 ? v ^ 0xff : v));
  await decode(file(damaged), spec, LIMITS).catch(() => undefined);
  assert.equal((await refused(file(stream.subarray(0, 48)))).reason, 'corrupt');
  assert.deepEqual((await decode(file(stream), spec, LIMITS)).pixels, expected);
});

test('nothing about the patient is in an error, whatever is damaged', async () => {
  const uniform = random(3);
  const secrets = /Doe|Jane|4711|PATIENT/;
  const file = drawn({ allocated: 16, pixels: words([...pixels]), syntax: SYNTAX.explicit });
  assert.match(file.toString('latin1'), secrets, 'the file names a patient');
  let errors = 0;
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(
      file.subarray(0, i % 3 === 0 ? Math.floor(uniform() * file.length) : file.length),
    );
    for (let k = 0; k < 3; k++) bytes[Math.floor(uniform() * bytes.length)] = uniform() * 256;
    const error = await decode(bytes, spec, LIMITS).catch((thrown: unknown) => thrown);
    if (!(error instanceof UnscorableError)) continue;
    errors++;
    for (let e: unknown = error; e instanceof Error; e = e.cause) {
      assert.doesNotMatch(`${e.message}\n${e.stack}`, secrets);
      assert.ok(e.cause === undefined || e.cause instanceof Error, 'no data set hangs on an error');
    }
  }
  assert.ok(errors > 100, `${errors} errors`);
});
