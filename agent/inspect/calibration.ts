/** What a bundle says of the good images that its threshold comes from. */
import type { Manifest } from '../../config/bundle.ts';
import { quantile } from './quantile.ts';
import type { Scores } from './score.ts';

/** What calibration takes from one good image. */
export interface Outputs extends Pick<Scores, 'voices' | 'statistics'> {
  readonly score: number;
  /** Largest value of the map. */
  readonly peak: number;
}

/** Of a batch of one. */
export function outputsOf({ score, map, voices, statistics }: Scores): Outputs {
  const peak = map.reduce((highest, value) => Math.max(highest, value));
  return { score: score[0]!, peak, voices, statistics };
}

/** What the manifest says of good images that training never saw, in any order. */
export function calibrationOf(
  manifest: Pick<Manifest, 'voices' | 'statistics'>,
  images: readonly Outputs[],
): Manifest['calibration'] {
  const ascending = (values: readonly number[]) => values.toSorted((a, b) => a - b);
  return {
    scores: ascending(images.map(({ score }) => score)),
    ...valuesOf(manifest, images),
    mapAlarm: Math.max(quantile(ascending(images.map(({ peak }) => peak)), 0.95), Number.EPSILON),
  };
}

/** Values of each voice and statistic on calibration images, ascending, by name; `rows` holds one image each. */
function valuesOf(
  manifest: Pick<Manifest, 'voices' | 'statistics'>,
  rows: readonly Pick<Scores, 'voices' | 'statistics'>[],
): Pick<Manifest['calibration'], 'voices' | 'statistics'> {
  const ofAll = (what: 'voices' | 'statistics') => {
    const entries = manifest[what]?.map(({ name }, i): [string, number[]] => [
      name,
      rows.map((row) => row[what]![i]!).sort((a, b) => a - b),
    ]);
    return entries === undefined ? {} : { [what]: Object.fromEntries(entries) };
  };
  return { ...ofAll('voices'), ...ofAll('statistics') };
}
