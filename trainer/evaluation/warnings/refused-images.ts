import type { Warning } from '../types.ts';
import { count, percent, type WarningInput } from './input.ts';

const LEAST = 3;
const LEAST_SHARE = 0.05;

/** So many test files could not be read that the figures leave something out. */
export function refusedImages({ images, refused }: WarningInput): Warning | null {
  const share = refused.length / (refused.length + images.length);
  if (refused.length < LEAST || share < LEAST_SHARE) return null;
  return {
    code: 'refused-images',
    severity: 'notable',
    message: `${count(refused.length, 'test file')} (${percent(share)}) could not be scored and count nowhere in these figures, among them ${refused[0]!.name}: ${refused[0]!.message}`,
    advice: 'Repair or remove these files. On a device each would be called unscorable.',
    figures: { refused: refused.length, share, example: refused[0]!.name },
  };
}
