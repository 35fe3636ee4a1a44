/** Contents of captures, each unlike all others, drawn from a seed. */
import sharp from 'sharp';
import { writeDicom } from '../../test/support/dicom.ts';
import { encode, noisyPixels, smoothPixels } from '../../test/support/images.ts';

export interface Content {
  /** Ending of a name that fits. */
  readonly ending: string;
  readonly bytes: Buffer;
}

const SIDE = 64;
const KINDS = ['jpeg', 'jpeg', 'large', 'png', 'tiff', 'webp', 'dicom', 'truncated', 'text'] as const;

/** The content with the number `seed`; most are whole images, a few can never be scored. */
export async function drawContent(seed: number, choose: () => number): Promise<Content> {
  const kind = KINDS[Math.floor(choose() * KINDS.length)]!;
  const side = kind === 'large' ? 400 : SIDE;
  const pixels = (choose() < 0.5 ? smoothPixels : noisyPixels)(side, seed);
  switch (kind) {
    case 'jpeg':
    case 'large':
      return { ending: 'jpg', bytes: await encode(pixels, side) };
    case 'truncated': {
      const whole = await encode(pixels, side);
      return { ending: 'jpg', bytes: whole.subarray(0, Math.floor(whole.length * (0.3 + 0.5 * choose()))) };
    }
    case 'dicom': {
      const grey = sharp(pixels, { raw: { width: side, height: side, channels: 3 } }).greyscale();
      const drawing = { width: side, height: side, pixels: await grey.raw().toBuffer() };
      return { ending: 'dcm', bytes: writeDicom(drawing) };
    }
    case 'text':
      return { ending: 'txt', bytes: Buffer.from(`No image, number ${seed}.\n`.repeat(50)) };
    default:
      return { ending: kind, bytes: await encode(pixels, side, kind) };
  }
}
