/** Golden samples: proof that this device's execution provider gives the scores that were calibrated. */
import type { Bundle } from './bundle.ts';
import { BundleError } from './bundleError.ts';
import { decode } from './decode.ts';
import type { Scorer } from './score.ts';

/**
 * Scores every golden sample and compares.
 * @returns the largest relative difference found.
 * @throws BundleError when one is off by more than the bundle's tolerance.
 */
export async function proveGolden(bundle: Bundle, scorer: Scorer): Promise<number> {
  const { golden, preprocessing } = bundle.manifest;
  let largest = 0;
  for (const [index, sample] of golden.samples.entries()) {
    const png = Buffer.from(sample.png, 'base64');
    const { pixels } = await decode(png, preprocessing, { pixels: 2 ** 24, bytes: png.length });
    const measured = (await scorer.score(pixels, 1)).score[0]!;
    const difference = Math.abs(measured - sample.score) / Math.max(Math.abs(sample.score), Number.EPSILON);
    if (!(difference <= golden.tolerance))
      throw new BundleError(
        `Golden sample ${index + 1} of ${golden.samples.length} scores ${measured} here, ${sample.score} where the bundle was made (relative difference ${difference.toExponential(1)}, allowed ${golden.tolerance}). The bundle is refused: verdicts would not mean what was calibrated. Try another execution provider or onnxruntime version.`,
      );
    largest = Math.max(largest, difference);
  }
  return largest;
}
