import type { Warning } from '../types.ts';
import { count, percent, type WarningInput } from './input.ts';
import { findNearCopies } from './near-copies.ts';

/** Test images that the model was made from: the same file, the same picture, or a near copy. */
export function sharedImages({ images, reference, seed }: WarningInput): Warning | null {
  if (reference === null || images.length === 0) return null;
  const known = [...reference.train, ...reference.calibration];
  const files = new Map(known.map((image) => [image.sha256, image]));
  const pictures = new Map(known.map((image) => [image.pictureSha256, image]));
  const bytes = images.filter(({ sha256 }) => files.has(sha256));
  const pixels = images.filter((i) => !files.has(i.sha256) && pictures.has(i.pictureSha256));
  const exact = new Set([...bytes, ...pixels]);
  const near = findNearCopies(
    images.filter((image) => !exact.has(image)),
    known,
    seed,
  );
  const shared = exact.size + near.pairs.length;
  if (shared === 0) return null;
  const kinds = [
    ...(bytes.length > 0 ? [`${count(bytes.length, 'file')} byte by byte`] : []),
    ...(pixels.length > 0 ? [`${count(pixels.length, 'picture')} pixel by pixel`] : []),
    ...(near.pairs.length > 0
      ? [
          `${near.pairs.length} as near ${near.pairs.length === 1 ? 'copy' : 'copies'} (correlation from ${(1 - near.pairs.at(-1)!.distance).toFixed(3)})`,
        ]
      : []),
  ];
  const first = bytes[0] ?? pixels[0] ?? near.pairs[0]!.query;
  const twin = files.get(first.sha256) ?? pictures.get(first.pictureSha256) ?? near.pairs[0]!.of;
  const left = images.length - exact.size;
  const sampled =
    near.checked < left ? ` Near copies were looked for among ${near.checked} of ${left} images.` : '';
  return {
    code: 'shared-images',
    severity: 'serious',
    message: `${count(shared, 'test image')} (${percent(shared / images.length)}) also served for training or calibration: ${kinds.join(', ')}; among them ${first.name}, which is ${twin.name}.${sampled}`,
    advice: 'Remove them from the test and evaluate again: a model knows what it has seen.',
    figures: {
      sameBytes: bytes.length,
      samePicture: pixels.length,
      nearCopies: near.pairs.length,
      checkedForNearCopies: near.checked,
      images: images.length,
      example: first.name,
      exampleOf: twin.name,
    },
  };
}
