/** A bundle for another site: the weights of the old one, calibrated on good images from there. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { ThresholdRule } from '../../config/threshold.ts';
import { type Bundle, makeBundle } from './bundle.ts';
import { BundleError } from './bundleError.ts';
import { calibrationOf, type Outputs } from './calibration.ts';
import { judge } from './judge.ts';
import { deriveBounds } from './threshold.ts';

/** A good image as the old bundle scores it. */
export interface GoodOutputs extends Outputs {
  /** Of the file, hex. */
  readonly sha256: string;
}

/**
 * The weights stay, and so do the scales within the graph that make voices comparable (robust z, recipe `auto`): the
 * threshold holds by the ranks of scores alone, which are those of new good images whatever the scales are.
 * @param images of different content.
 * @param groups that they form; null: each stands alone.
 * @throws ConfigError when `rule` cannot be had with so few images; it names the smallest alpha that can.
 */
export function recalibrateBundle(
  { manifest, model }: Bundle,
  images: readonly GoodOutputs[],
  rule: ThresholdRule,
  groups: number | null = null,
): Bundle {
  const { digest: from, ...kept } = manifest;
  const calibration = { ...calibrationOf(manifest, images), ...(groups !== null && { groups }) };
  return makeBundle(model, {
    ...kept,
    calibration,
    threshold: { rule, ...deriveBounds(rule, calibration.scores), revision: 1 },
    provenance: {
      ...manifest.provenance,
      recalibration: { images: images.length, digest: digestOf(images), from },
    },
  });
}

/** How many of `scores` the bundle calls for review. */
export function calledBy(
  { manifest: { threshold, calibration } }: Bundle,
  scores: readonly number[],
): number {
  return scores.filter((score) => judge(score, threshold, calibration.scores).verdict === 'review').length;
}

/** Where the bundle calls more than this share of good images, it has not learned what such images look like. */
const FOREIGN = 0.5;

/** What is doubtful about a recalibration, in a sentence; null: nothing. */
export function doubtOf(calledBefore: number, images: number): string | null {
  if (calledBefore <= FOREIGN * images) return null;
  return `The old threshold calls ${calledBefore} of ${images}: this model has not learned what such images look like, and hardly anything can be found in them by it. Fit a new one to them (trainer fit).`;
}

/** `NAME-recalibrated.onnx` beside the bundle. */
export function besideOf(bundlePath: string): string {
  const { dir, name } = path.parse(bundlePath);
  return path.join(dir, `${name}-recalibrated.onnx`);
}

/** @throws BundleError when there is a file already, or no folder for it. */
export async function requireFree(file: string): Promise<void> {
  if ((await stat(file).catch(() => null)) !== null)
    throw new BundleError(
      `${file} exists already, and nothing is overwritten. Choose another --out, or delete it.`,
    );
  const folder = await stat(path.dirname(file)).catch(() => null);
  if (!folder?.isDirectory())
    throw new BundleError(
      `The folder ${path.dirname(file)} of --out does not exist. Make it, or choose another --out.`,
    );
}

function digestOf(images: readonly GoodOutputs[]): string {
  const hash = createHash('sha256');
  for (const sha256 of images.map((image) => image.sha256).sort()) hash.update(sha256);
  return `sha256:${hash.digest('hex')}`;
}
