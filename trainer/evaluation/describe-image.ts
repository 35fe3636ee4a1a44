/** What is known of an image without a model: its digests and simple measures. */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import { refusalOf } from '../../agent/inspect/refusal.ts';
import type { RefusedImage } from '../data/load.ts';
import type { Sample } from '../data/sample.ts';
import { measureProperties } from './properties.ts';
import type { ReferenceImage } from './types.ts';

/** Of the content of an image file. @throws UnscorableError when it cannot be decoded. */
export async function describeImage(
  bytes: Uint8Array,
): Promise<Pick<ReferenceImage, 'sha256' | 'pictureSha256' | 'properties'>> {
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    pictureSha256: await digestOfPicture(bytes),
    properties: await measureProperties(bytes),
  };
}

/** Of a good image that a model was made from. */
export async function describeSample(sample: Sample): Promise<ReferenceImage | RefusedImage> {
  const { name, group } = sample;
  try {
    return { name, group, ...(await describeImage(await sample.read())) };
  } catch (error) {
    if (!(error instanceof UnscorableError)) throw error;
    return { name, reason: error.reason, message: error.message };
  }
}

/** SHA-256 of the picture as stored, upright sRGB at full size: equal for copies that were saved again without loss. */
async function digestOfPicture(bytes: Uint8Array): Promise<string> {
  const { data, info } = await sharp(bytes, {
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
  return createHash('sha256')
    .update(`${info.width}x${info.height}x${info.channels}|`)
    .update(data)
    .digest('hex');
}
