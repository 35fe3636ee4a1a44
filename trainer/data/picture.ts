/** The picture of an image file as stored: upright sRGB at full size, whatever the input of a model is. */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { withoutDicom } from '../../agent/inspect/dicom/convert.ts';
import { refusalOf } from '../../agent/inspect/refusal.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** uint8 `[height, width, channels]` */
  readonly data: Uint8Array;
}

/** Side of a thumbnail, in pixels. */
export const THUMBNAIL_SIDE = 32;

/** @throws UnscorableError when the bytes hold no image that can be decoded. */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const { data, info } = await sharp(await withoutDicom(bytes), {
    failOn: 'error',
    limitInputPixels: false,
    sequentialRead: true,
  })
    .autoOrient()
    .flatten({ background: '#000' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: Error) => {
      throw refusalOf(bytes, cause);
    });
  return { width: info.width, height: info.height, channels: info.channels, data };
}

/** SHA-256, hex: equal for copies that were saved again without loss. */
export function digestOfPicture({ width, height, channels, data }: Picture): string {
  return createHash('sha256').update(`${width}x${height}x${channels}|`).update(data).digest('hex');
}

/** Grey, uint8 `[32, 32]`: the mean of the channels over the area of each of its pixels, the picture squeezed. */
export function thumbnailOf({ width, height, channels, data }: Picture): Uint8Array {
  const side = THUMBNAIL_SIDE;
  const columns = areas(width, side);
  const rows = areas(height, side);
  const sums = new Float64Array(side * side);
  const line = new Float64Array(side);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let x = 0; x < width; x++) {
      let value = 0;
      for (let c = 0, i = (y * width + x) * channels; c < channels; c++) value += data[i + c]!;
      for (const [column, share] of columns[x]!) line[column]! += share * value;
    }
    for (const [row, share] of rows[y]!)
      for (let x = 0; x < side; x++) sums[row * side + x]! += share * line[x]!;
  }
  const scale = side ** 2 / (width * height * channels);
  return Uint8Array.from(sums, (sum) => Math.round(sum * scale));
}

/** Of each of `size` pixels: the pixels out of `side` that it covers, and how much of it lies in each. */
function areas(size: number, side: number): (readonly [number, number])[][] {
  return Array.from({ length: size }, (_, i) => {
    const [from, to] = [(i * side) / size, ((i + 1) * side) / size];
    const covered: [number, number][] = [];
    for (let j = Math.floor(from); j < Math.min(side, to); j++) {
      const share = (Math.min(to, j + 1) - Math.max(from, j)) / (to - from);
      if (share > 1e-9) covered.push([j, share]);
    }
    return covered;
  });
}
