/** When images were captured, and in which order. */
import assert from 'node:assert/strict';
import test from 'node:test';
import sharp from 'sharp';
import { captureTime, parseCaptureTime } from '../../trainer/evaluation/capture-time.ts';
import { orderOf } from '../../trainer/evaluation/order.ts';
import { encode, smoothPixels } from '../support/images.ts';

test('the time of capture is read from EXIF, as cameras write it', async () => {
  const plain = await encode(smoothPixels(32, 1), 32);
  assert.equal(await captureTime(plain), null);
  const dated = (tags: Record<string, string>) =>
    sharp(plain)
      .withExif({ IFD0: { Make: 'Camera' }, IFD2: tags })
      .jpeg()
      .toBuffer();
  const time = '2024:03:09 14:05:07';
  const exact = Date.UTC(2024, 2, 9, 14, 5, 7);
  assert.equal(await captureTime(await dated({ DateTimeOriginal: time })), exact);
  assert.equal(
    await captureTime(await dated({ DateTimeOriginal: time, SubSecTimeOriginal: '25' })),
    exact + 250,
  );
  assert.equal(await captureTime(await dated({ DateTimeOriginal: '0000:00:00 00:00:00' })), null);
  assert.equal(await captureTime(await dated({ LensModel: 'none' })), null);
});

test('EXIF that is cut off anywhere gives no time, and no error', async () => {
  const jpeg = await sharp(smoothPixels(32, 1), { raw: { width: 32, height: 32, channels: 3 } })
    .withExif({ IFD2: { DateTimeOriginal: '2024:03:09 14:05:07' } })
    .jpeg()
    .toBuffer();
  const { exif } = await sharp(jpeg).metadata();
  assert.notEqual(parseCaptureTime(exif!), null);
  for (let length = 0; length < exif!.length - 1; length++) {
    const time = parseCaptureTime(exif!.subarray(0, length));
    assert.ok(time === null || Number.isFinite(time), `cut at ${length}`);
  }
  assert.equal(parseCaptureTime(new Uint8Array(100).fill(255)), null);
});

test('the order is that of capture if every file has a time, else of modification if that tells, else of names', () => {
  const hour = 3_600_000;
  const names = ['good/10.jpg', 'good/9.jpg', 'good/11.jpg'];
  const dated = (captured: (number | null)[], modified: (number | null)[]) =>
    names.map((name, i) => ({ name, captured: captured[i]!, modified: modified[i]! }));
  const unknown = [null, null, null];
  assert.deepEqual(orderOf(dated([30, 20, 10], [0, 0, 0])), { order: [2, 1, 0], orderedBy: 'capture' });
  assert.deepEqual(orderOf(dated([30, null, 10], [hour, 9 * hour, 0])), {
    order: [1, 2, 0],
    orderedBy: 'modification',
  });
  // Seconds apart: as a copy leaves them.
  assert.deepEqual(orderOf(dated(unknown, [1000, 3000, 2000])), { order: [1, 0, 2], orderedBy: 'name' });
  assert.deepEqual(orderOf(dated(unknown, [0, null, hour])), { order: [1, 0, 2], orderedBy: 'name' });
});
