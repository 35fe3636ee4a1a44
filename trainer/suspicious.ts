/** Which of the images that were given as good least look it. */
import { calibrationOf } from '../agent/inspect/calibration.ts';
import { evidenceOf } from '../agent/inspect/evidence.ts';
import { judge } from '../agent/inspect/judge.ts';
import type { Manifest } from '../config/bundle.ts';
import type { Evidence } from '../config/evidence.ts';
import type { Unseen } from './calibrate.ts';

/** An image as a model sees it that was not trained on it, against all other good images. */
export interface Suspicious {
  readonly name: string;
  readonly score: number;
  readonly p: number;
  readonly verdict: 'pass' | 'review';
  /** Empty where the bundle measures nothing beside the score. */
  readonly evidence: readonly Evidence[];
}

/** So many, and no more than one in five: of few images the twenty most unusual are nothing unusual. */
const MOST = 20;
const SHARE = 0.2;

/** The most unusual first, to either side where the threshold has two. `unseen`: all calibration images. */
export function mostSuspicious(
  unseen: readonly Unseen[],
  manifest: Pick<Manifest, 'voices' | 'statistics' | 'threshold'>,
): (Suspicious & Pick<Unseen, 'scores'>)[] {
  const count = Math.min(MOST, Math.ceil(SHARE * unseen.length));
  const { lower, upper } = manifest.threshold;
  const beyond = ({ score }: Unseen) => (lower === null ? score : Math.max(score - upper, lower - score));
  return unseen
    .toSorted((a, b) => beyond(b) - beyond(a))
    .slice(0, count)
    .map((image) => {
      const { name, score, scores } = image;
      const calibration = calibrationOf(
        manifest,
        unseen.filter((other) => other !== image),
      );
      const { p, verdict } = judge(score, manifest.threshold, calibration.scores);
      return { name, score, p, verdict, scores, evidence: evidenceOf(scores, { ...manifest, calibration }) };
    });
}
