/** Which patches are hidden: at random in training, in fixed complementary patterns afterwards. */
import { type Random, shuffled } from '../../random.ts';

/** How many of `patches` are hidden at a share: at least one, and one is always left to predict from. */
export function hiddenCount(patches: number, share: number): number {
  return Math.min(Math.max(Math.round(share * patches), 1), patches - 1);
}

/** 1 for a hidden patch, 0 for a visible one, float32 `[images, patches]`; as many in every image. */
export function randomMasks(images: number, patches: number, share: number, random: Random): Float32Array {
  const order = Array.from({ length: patches }, (_, i) => i);
  const masks = new Float32Array(images * patches);
  for (let i = 0; i < images; i++)
    for (const patch of shuffled(order, random).slice(0, hiddenCount(patches, share)))
      masks[i * patches + patch] = 1;
  return masks;
}

/**
 * ceil(1 / share) masks, each float32 `[rows x columns]` as above, that together hide every patch once. Hidden patches
 * lie apart from each other: for two masks they are the two colours of a chessboard.
 */
export function complementaryMasks(rows: number, columns: number, share: number): Float32Array[] {
  const count = Math.ceil(1 / share);
  const shift = Math.floor(count / 2);
  const masks = Array.from({ length: count }, () => new Float32Array(rows * columns));
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      masks[(row * shift + column) % count]![row * columns + column] = 1;
  return masks.filter((mask) => mask.includes(1));
}
