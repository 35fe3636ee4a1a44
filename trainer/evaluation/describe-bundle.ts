/** What a report says of a bundle and of its calibration, from the bundle alone. */
import type { Bundle } from '../../agent/inspect/bundle.ts';
import { whatItMeans } from '../../agent/inspect/falseAlarms.ts';
import { whatItHolds } from '../../agent/inspect/holdings.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import type { Reference } from './types.ts';

export function describeBundle({ manifest, model }: Bundle): EvaluationMetrics['bundle'] {
  const { name, intendedUse, digest, calibration, preprocessing, residual, provenance } = manifest;
  const { encoder } = provenance;
  return {
    ...{ name, intendedUse, digest, residual },
    bytes: model.length,
    mapAlarm: calibration.mapAlarm,
    holds: whatItHolds(manifest),
    input: preprocessing,
    encoder:
      encoder === null ? null : { name: encoder.name, source: encoder.source, licence: encoder.licence },
  };
}

/** Scores are those of the manifest, which knows no names; `reference` gives them as far as it has these images. */
export function describeCalibration(
  { manifest }: Bundle,
  reference: Reference | null,
): EvaluationMetrics['calibration'] {
  const { threshold, calibration } = manifest;
  const { scores } = calibration;
  const names = new Map(reference?.calibration.map(({ score, name }) => [score, name]));
  return {
    threshold,
    images: scores.map((score, i) => ({
      name: names.get(score) ?? `calibration image ${i + 1} of ${scores.length}`,
      score,
    })),
    ...whatItMeans(manifest),
  };
}
