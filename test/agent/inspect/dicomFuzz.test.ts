/** 2,000 mutated DICOM files: each ends in a picture or in a reason, and memory does not grow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decode } from '../../../agent/inspect/decode.ts';
import { UnscorableError } from '../../../agent/inspect/inspection.ts';
import { type Element, SYNTAX, words, writeDicom } from '../../support/dicom.ts';
import { encodeFrame } from '../../support/dicomFrames.ts';
import { random } from '../../support/images.ts';

const FILES = 2000;
const size = { width: 32, height: 24 };
const COUNT = size.width * size.height;
const spec = {
  width: 16,
  height: 16,
  channels: 3,
  frames: 2,
  crop: 'none',
  fit: 'fill',
  kernel: 'linear',
} as const;
const LIMITS = { pixels: 1e6, bytes: 1e6 };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function seeds(): Promise<Buffer[]> {
  const uniform = random(1);
  const grey8 = Uint8Array.from({ length: COUNT }, (_, i) => (i % 32) * 8);
  const colour = Uint8Array.from({ length: 3 * COUNT }, () => uniform() * 256);
  const table: Element[] = [
    [0x00283002, 'US', [256, 0, 8]],
    [0x00283006, 'OW', grey8.subarray(0, 256)],
  ];
  const palette = [0, 1, 2].flatMap((c): Element[] => [
    [0x00281101 + c, 'US', [256, 0, 8]],
    [0x00281201 + c, 'OW', grey8.subarray(0, 256)],
  ]);
  const raw = { ...size, samples: 1, allocated: 8, stored: 8, signed: false, bytes: grey8 };
  const encoded = async (syntax: string, encoder: Parameters<typeof encodeFrame>[0]) =>
    writeDicom({
      ...size,
      syntax,
      pixels: { table: new Uint8Array(), fragments: [await encodeFrame(encoder, raw)] },
    });
  return [
    writeDicom({ ...size, pixels: words(grey8), allocated: 16, stored: 12, signed: true }),
    writeDicom({ ...size, pixels: words(grey8, true), allocated: 16, syntax: SYNTAX.bigEndian }),
    writeDicom({
      ...size,
      pixels: grey8,
      syntax: SYNTAX.implicit,
      elements: [[0x00283010, 'SQ', [table]]],
      delimited: true,
    }),
    writeDicom({ ...size, pixels: grey8, syntax: SYNTAX.deflated }),
    writeDicom({ ...size, pixels: grey8, photometric: 'PALETTE COLOR', elements: palette }),
    writeDicom({ ...size, pixels: colour, samples: 3, photometric: 'YBR_FULL', planar: 1 }),
    writeDicom({ ...size, height: 12, pixels: grey8, frames: 2, syntax: null }),
    await encoded(SYNTAX.rle, 'encodeRle'),
    await encoded(SYNTAX.jpegLossless, 'encodeJpeg'),
    await encoded(SYNTAX.jpegLs, 'encodeJpegLs'),
    await encoded(SYNTAX.jpeg2000, 'encodeJpeg2000'),
  ];
}

/** Bytes changed, cut, removed, doubled, or set to the largest value. */
function mutate(seed: Buffer, uniform: () => number): Buffer {
  const bytes = Buffer.from(seed);
  const place = () => 128 + Math.floor(uniform() * (bytes.length - 128));
  const [kind, at, length] = [Math.floor(uniform() * 5), place(), 1 + Math.floor(uniform() * 40)];
  if (kind === 0) return bytes.subarray(0, at);
  if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
  if (kind === 2) return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
  if (kind === 3) return bytes.fill(0xff, at, Math.min(bytes.length, at + (length % 5)));
  for (let i = 0; i < 1 + (length % 6); i++) bytes[place()] = uniform() * 256;
  return bytes;
}

test(`${FILES} mutated files: a picture or a reason, and no growth`, async (t) => {
  const uniform = random(20);
  const originals = await seeds();
  const show = async () => Promise.all(originals.map((bytes) => decode(bytes, spec, LIMITS)));
  const first = await show();
  const reasons = new Map<string, number>();
  let before = 0;
  for (let i = 0; i < FILES; i++) {
    if (i === FILES / 4) before = held();
    if (i % 50 === 49) assert.deepEqual(await show(), first, `the whole ones show the same after file ${i}`);
    const outcome = await decode(mutate(originals[i % originals.length]!, uniform), spec, LIMITS).then(
      ({ pixels }) => {
        assert.equal(pixels.length, 16 * 16 * 3 * 2);
        return 'picture';
      },
      (error: unknown) => {
        assert.ok(
          error instanceof UnscorableError,
          `file ${i}: ${error instanceof Error ? error.stack : error}`,
        );
        return error.reason;
      },
    );
    reasons.set(outcome, (reasons.get(outcome) ?? 0) + 1);
  }
  const grown = (held() - before) / 2 ** 20;
  t.diagnostic(`${JSON.stringify(Object.fromEntries(reasons))}, ${grown.toFixed(1)} MiB more held`);
  assert.ok(
    (reasons.get('picture') ?? 0) > FILES / 20 && reasons.size > 4,
    'mutations hit all kinds of outcome',
  );
  assert.ok(grown < 12, `${grown} MiB more held after ${(3 * FILES) / 4} files`);
});

/** Bytes held after collection, outside of the heap too: WebAssembly memory counts as an array buffer. */
function held(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
