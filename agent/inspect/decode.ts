/** From the bytes of a capture to the pixels that the graph sees. The trainer decodes with this very function. */
import sharp from 'sharp';
import type { Preprocessing } from '../../config/preprocessing.ts';
import { type Limits, UnscorableError } from './inspection.ts';
import { FORMATS, refusalOf } from './refusal.ts';

export interface Decoded {
  /** uint8 `[height, width, channels]` of the preprocessing's size: sRGB or grey, 0..255. */
  readonly pixels: Uint8Array;
  /** Size as stored, before orientation, in pixels. */
  readonly width: number;
  readonly height: number;
  /** By content: jpeg, png, tiff, webp, gif, ... */
  readonly format: string;
}

/**
 * Decodes and preprocesses one image: type by content, EXIF orientation, ICC to sRGB, alpha flattened on black,
 * resized and converted as `spec` says.
 * @throws UnscorableError with the published reason code.
 */
export async function decode(bytes: Uint8Array, spec: Preprocessing, limits: Limits): Promise<Decoded> {
  if (bytes.length === 0) throw new UnscorableError('empty', 'The file holds no bytes.');
  // The size is checked here, not by sharp's own limit, so that the reason is ours and nothing is decoded before.
  const options = { failOn: 'error', limitInputPixels: false, sequentialRead: true } as const;
  const reject = (cause: Error): never => {
    throw refusalOf(bytes, cause);
  };
  const metadata = await sharp(bytes, options).metadata().catch(reject);
  const { width, height, format } = metadata;
  if (!FORMATS.some(({ name }) => name === format)) throw refusalOf(bytes, `the content is ${format}`);
  if (width * height > limits.pixels)
    throw new UnscorableError(
      'too-many-pixels',
      `The image has ${width} x ${height} pixels; limits.pixels allows ${limits.pixels}.`,
    );
  let image = sharp(bytes, options)
    .autoOrient()
    .flatten({ background: '#000' })
    .resize(spec.width, spec.height, { fit: spec.fit, kernel: spec.kernel, background: '#000' });
  image = spec.channels === 1 ? image.greyscale() : image.toColourspace('srgb');
  const { data, info } = await image
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(reject);
  const pixels = info.channels === spec.channels ? data : selectChannels(data, info.channels, spec.channels);
  return { pixels, width, height, format };
}

/** sharp may give grey as three equal channels, or one channel where three are wanted. */
function selectChannels(data: Uint8Array, from: number, to: number): Uint8Array {
  const count = data.length / from;
  const out = new Uint8Array(count * to);
  for (let i = 0; i < count; i++)
    for (let c = 0; c < to; c++) out[i * to + c] = data[i * from + Math.min(c, from - 1)]!;
  return out;
}
