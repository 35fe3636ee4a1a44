/** The quality setting that a JPEG was saved with, from its quantisation tables. */

/** Luminance table of ITU-T T.81 Annex K.1 in the zigzag order in which a file stores it. */
const ANNEX_K_LUMINANCE = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58,
  51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103,
  62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];

/**
 * 1..100 on the scale of the Independent JPEG Group: the setting whose luminance table is nearest to that of the file.
 * Exact for encoders that scale the table of Annex K; an estimate for those with tables of their own.
 * null when the bytes hold no JPEG with such a table.
 */
export function estimateJpegQuality(bytes: Uint8Array): number | null {
  const table = luminanceTable(bytes);
  if (table === null) return null;
  let best = { quality: 1, distance: Number.POSITIVE_INFINITY };
  for (let quality = 1; quality <= 100; quality++) {
    const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality; // jpeg_quality_scaling of libjpeg
    let distance = 0;
    for (const [i, base] of ANNEX_K_LUMINANCE.entries()) {
      const step = Math.min(255, Math.max(1, Math.floor((base * scale + 50) / 100)));
      distance += Math.abs(step - table[i]!);
    }
    if (distance < best.distance) best = { quality, distance };
  }
  return best.quality;
}

/** Table 0, as stored (T.81 B.2.4.1); markers are walked up to the first scan. */
function luminanceTable(bytes: Uint8Array): number[] | null {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    if (marker === 0xda || marker === 0xd9) return null; // start of scan, end of image
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) return null;
    const table = marker === 0xdb ? tableIn(view, at + 4, end) : null;
    if (table !== null) return table;
    at = end;
  }
  return null;
}

/** Table 0 among the tables of one DQT segment. */
function tableIn(view: DataView, start: number, end: number): number[] | null {
  for (let at = start; at < end; ) {
    const head = view.getUint8(at++);
    const width = head >> 4 === 0 ? 1 : 2;
    if (at + 64 * width > end) return null;
    if ((head & 15) === 0)
      return Array.from({ length: 64 }, (_, i) =>
        width === 1 ? view.getUint8(at + i) : view.getUint16(at + 2 * i),
      );
    at += 64 * width;
  }
  return null;
}
