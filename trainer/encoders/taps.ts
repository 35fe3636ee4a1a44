/** Which layers of a network are offered and chosen. */
import { nearest } from '../../config/nearest.ts';
import { EncoderError } from './error.ts';

/** Up to three taps, a quarter, half and three quarters of the way: early enough to see detail. */
export function spreadOver(taps: readonly string[]): string[] {
  const chosen = [0.25, 0.5, 0.75].map((share) => taps[Math.floor(share * (taps.length - 1))]!);
  return [...new Set(chosen)];
}

/** @throws EncoderError that names the nearest tap. */
export function checkTaps(encoder: string, wanted: readonly string[], taps: readonly string[]): void {
  for (const tap of wanted) {
    if (taps.includes(tap)) continue;
    const near = nearest(tap, taps);
    const few =
      taps.length > 12 ? `${taps.slice(-12).join(', ')} and ${taps.length - 12} before` : taps.join(', ');
    throw new EncoderError(
      `The encoder ${encoder} has no tap ${tap}.${near === undefined ? '' : ` Did you mean ${near}?`} It has ${few}.`,
    );
  }
}
