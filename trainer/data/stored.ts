/** What images are as stored: sizes, channels, and bits of their values. */
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { LoadedImage } from './load.ts';

/** Values of 14 bits come to a quarter of white at most. */
const MOST_BITS = 14;

/** What differs between the images as stored, in size, channels and depth, and what becomes of it. */
export function describeSizes(images: readonly LoadedImage[], spec: Preprocessing): string {
  const grey = images.filter(({ stored }) => stored.grey).length;
  const deep = images.filter(({ stored }) => stored.brightest !== null).length;
  const become = spec.channels === 1 ? 'all are made grey' : 'grey is repeated to three channels';
  const are = (count: number) => `${count} of ${images.length} images ${count === 1 ? 'is' : 'are'}`;
  return [
    sizesInWords(images, spec),
    ...(grey > 0 && grey < images.length ? [`${are(grey)} grey, the others in colour; ${become}.`] : []),
    ...(deep > 0 ? [`${are(deep)} stored with more than 8 bits a channel; they are scaled to 8.`] : []),
  ].join(' ');
}

/** `width x height` of the smallest, the median and the largest by area; null: no images. */
export function sizesOf(
  images: readonly LoadedImage[],
): { smallest: string; median: string; largest: string } | null {
  const byArea = images.toSorted((a, b) => a.width * a.height - b.width * b.height);
  const say = (at: number) => `${byArea.at(at)!.width} x ${byArea.at(at)!.height}`;
  return byArea.length === 0 ? null : { smallest: say(0), median: say(byArea.length >> 1), largest: say(-1) };
}

/**
 * Bits that the values of the images stored with 16 bits a channel take, where they are at most 14, and so nearly black;
 * null: more, or no such images.
 */
export function significantBitsOf(images: readonly Pick<LoadedImage, 'stored'>[]): number | null {
  const brightest = images.flatMap(({ stored }) => stored.brightest ?? []);
  const bits = 8 + Math.ceil(Math.log2(1 + brightest.reduce((most, value) => Math.max(most, value), 0)));
  return brightest.length > 0 && bits <= MOST_BITS ? bits : null;
}

/** Two sentences: what such images come to, and what to do. */
export function describeBits(bits: number): string {
  const levels = 2 ** (bits - 8);
  return `The images stored with 16 bits a channel use ${bits} of them: they are seen nearly black, in ${levels} of 256 grey levels, here and on the device. Save them with all values times ${2 ** (16 - bits)}, or as DICOM, which names its bits.`;
}

function sizesInWords(images: readonly LoadedImage[], spec: Preprocessing): string {
  const sizes = sizesOf(images);
  if (sizes === null) return 'No images.';
  const { smallest, largest } = sizes;
  const count = new Set(images.map(({ width, height }) => `${width} x ${height}`)).size;
  if (count === 1) return `All images have ${smallest} pixels.`;
  return `${count} different sizes, ${smallest} to ${largest} pixels; each is brought to ${spec.width} x ${spec.height} (fit: ${spec.fit}).`;
}
