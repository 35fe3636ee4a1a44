/** What is known of an image without a model: its digests and simple measures. */
import { createHash } from 'node:crypto';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { LoadedImage, RefusedImage } from '../data/load.ts';
import { decodePicture, digestOfPicture } from '../data/picture.ts';
import type { Sample } from '../data/sample.ts';
import { measurePlainPng, measureProperties, WORKING_SIDE } from './properties.ts';
import type { Properties, ReferenceImage } from './types.ts';

/** Regions that a model does not see, and no measure either; undefined: none. */
export type Mask = Preprocessing['mask'];

/** Of the content of an image file. @throws UnscorableError when it cannot be decoded. */
export async function describeImage(
  bytes: Uint8Array,
  mask: Mask,
): Promise<Pick<ReferenceImage, 'sha256' | 'pictureSha256' | 'properties'>> {
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    pictureSha256: digestOfPicture(await decodePicture(bytes)),
    properties: await measureProperties(bytes, mask),
  };
}

/** An image that was read before, with the digests that it had then: its picture need not be decoded for them again. */
export type ReadBefore = Pick<
  LoadedImage,
  'sample' | 'sha256' | 'pictureSha256' | 'pixels' | 'width' | 'height' | 'plainPng'
>;

export async function describeAgain(image: ReadBefore, mask: Mask): Promise<ReferenceImage | RefusedImage> {
  const { sample, sha256, pictureSha256 } = image;
  const { name, group } = sample;
  return unlessRefused(name, async () => ({
    ...{ name, group, sha256, pictureSha256 },
    properties: await measureAgain(image, mask),
  }));
}

async function measureAgain(
  { sample, pixels, width, height, plainPng }: ReadBefore,
  mask: Mask,
): Promise<Properties> {
  if (plainPng !== null && Math.max(width, height) <= WORKING_SIDE)
    return measurePlainPng({ pixels, width, height }, plainPng);
  return measureProperties(await sample.read(), mask);
}

/** Of a good image that a model was made from. */
export async function describeSample(sample: Sample, mask: Mask): Promise<ReferenceImage | RefusedImage> {
  const { name, group } = sample;
  return unlessRefused(name, async () => ({
    name,
    group,
    ...(await describeImage(await sample.read(), mask)),
  }));
}

async function unlessRefused<T>(name: string, describe: () => Promise<T>): Promise<T | RefusedImage> {
  try {
    return await describe();
  } catch (error) {
    if (!(error instanceof UnscorableError)) throw error;
    return { name, reason: error.reason, message: error.message };
  }
}
