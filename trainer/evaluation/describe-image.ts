/** What is known of an image without a model: its digests and simple measures. */
import { createHash } from 'node:crypto';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import type { RefusedImage } from '../data/load.ts';
import { decodePicture, digestOfPicture } from '../data/picture.ts';
import type { Sample } from '../data/sample.ts';
import { measureProperties } from './properties.ts';
import type { ReferenceImage } from './types.ts';

/** Of the content of an image file. @throws UnscorableError when it cannot be decoded. */
export async function describeImage(
  bytes: Uint8Array,
): Promise<Pick<ReferenceImage, 'sha256' | 'pictureSha256' | 'properties'>> {
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    pictureSha256: digestOfPicture(await decodePicture(bytes)),
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
