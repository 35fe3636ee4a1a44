/** Labels that cannot all be right. */
import { quantile } from '../../../agent/inspect/quantile.ts';
import { auroc } from '../../statistics/auroc.ts';
import type { ReferenceImage, Warning } from '../types.ts';
import { count, type WarningInput } from './input.ts';
import { findNearCopies } from './near-copies.ts';

/** Good images among the poor ones are suspected only from this many on, and from this share. */
const FEWEST_STRAYS = 4;
const LEAST_STRAYS = 0.04;

/** One picture with both labels: a poor test image that is also a good one, of the test or of the training. */
export function contradictoryLabels({ images, reference, seed }: WarningInput): Warning | null {
  const poor = images.filter(({ label }) => label === 'poor');
  const good: ReferenceImage[] = [
    ...images.filter(({ label }) => label === 'good'),
    ...(reference === null ? [] : [...reference.train, ...reference.calibration]),
  ];
  const pictures = new Map(
    good.flatMap((image) => [[image.pictureSha256, image] as const, [image.sha256, image] as const]),
  );
  const twinOf = (image: ReferenceImage) => pictures.get(image.sha256) ?? pictures.get(image.pictureSha256);
  const same = poor.filter((image) => twinOf(image) !== undefined);
  const near = findNearCopies(
    poor.filter((image) => twinOf(image) === undefined),
    good,
    seed,
  );
  const found = same.length + near.pairs.length;
  if (found === 0) return null;
  const [first, twin] =
    same[0] === undefined ? [near.pairs[0]!.query, near.pairs[0]!.of] : [same[0], twinOf(same[0])!];
  return {
    code: 'contradictory-labels',
    severity: 'serious',
    message: `${count(found, 'picture')} ${found === 1 ? 'is' : 'are'} labelled both good and poor (${same.length} the same, ${near.pairs.length} as near copies), among them ${first.name}, which is ${twin.name}.`,
    advice: 'Look at both and decide: one of the labels is wrong, or the classes overlap.',
    figures: { same: same.length, nearCopies: near.pairs.length, example: first.name, exampleOf: twin.name },
  };
}

/**
 * Good images that score like typical poor ones, with nothing in between: they may be labelled wrongly. Said only when
 * the score separates the other images well and a gap sets these apart, since a long tail is no wrong label.
 */
export function strayLabels({ images }: WarningInput): Warning | null {
  const scores = (label: string) =>
    images
      .filter((image) => image.label === label)
      .map(({ score }) => score)
      .sort((a, b) => a - b);
  const [good, poor] = [scores('good'), scores('poor')];
  if (good.length < 20 || poor.length < 20) return null;
  const middle = quantile(good, 0.5);
  const robust =
    1.4826 *
    quantile(
      good.map((s) => Math.abs(s - middle)).sort((a, b) => a - b),
      0.5,
    );
  const typical = quantile(poor, 0.25);
  const clear = middle + 4 * robust;
  if (!(middle + 8 * robust < typical)) return null;
  const strays = images.filter(({ label, score }) => label === 'good' && score >= typical);
  const between = good.filter((s) => s > clear && s < typical).length;
  const others = good.filter((s) => s < typical);
  if (strays.length < FEWEST_STRAYS || strays.length < LEAST_STRAYS * good.length) return null;
  if (strays.length > good.length / 4 || between > strays.length / 3 || auroc(others, poor) < 0.95)
    return null;
  return {
    code: 'stray-labels',
    severity: 'notable',
    message: `${count(strays.length, 'image')} labelled good of ${good.length} score like typical poor ones, with hardly any in between, among them ${strays[0]!.name}: the labels may be wrong.`,
    advice:
      'Look at these images. Correct the labels only for what you see in them, never because of the score.',
    figures: { images: strays.length, good: good.length, between, from: typical, example: strays[0]!.name },
  };
}
