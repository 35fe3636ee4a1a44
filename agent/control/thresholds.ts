/** The threshold in force. Every change of it, wherever it comes from, goes through `apply`. */
import type { Logger } from 'pino';
import type { Manifest } from '../../config/bundle.ts';
import { ConfigError } from '../../config/errors.ts';
import type { Threshold, ThresholdRule } from '../../config/threshold.ts';
import type { Reported } from '../../config/topics.ts';
import {
  canonicalRule,
  type LedgerThresholds,
  type StoredThreshold,
  type ThresholdChange,
} from '../deliver/ledgerThresholds.ts';
import { LedgerError } from '../deliver/transaction.ts';
import { judge } from '../inspect/judge.ts';
import { type Bounds, deriveBounds } from '../inspect/threshold.ts';

export interface Change {
  readonly rule: ThresholdRule;
  readonly source: Reported['source'];
  /** Of the desired settings that ask for it; null when it comes from elsewhere. */
  readonly id: string | null;
}

export interface Thresholds {
  /** In force now. Assigned as a whole: whoever reads it once for a capture never sees half a change. */
  current(): Threshold;
  /**
   * Derives the bounds from the calibration scores, writes the new revision down, and puts it in force. The rule in
   * force is no change. One that cannot be had, or not be written down, is refused and the old one stays. Desired
   * settings that were answered before (same id, same rule) are answered again without any effect.
   */
  apply(change: Change): Reported;
  /** The settings now hold `rule` (null: none, so the one of the bundle). Applied only when that differs from before. */
  applySettings(rule: ThresholdRule | null): Reported;
  /** The answer to what never was a rule; changes nothing. */
  refuse(source: Reported['source'], id: string | null, reason: string): Reported;
}

export interface ThresholdsOptions {
  readonly ledger: LedgerThresholds;
  readonly manifest: Pick<Manifest, 'digest' | 'threshold' | 'calibration'>;
  /** Rule in the settings; null when they hold none. */
  readonly settingsRule: ThresholdRule | null;
  readonly log: Logger;
}

/**
 * The threshold that was in force last, or the one of the bundle at the first start. Two things can change it while the
 * agent is down: a bundle with another calibration (the same rule then gives other bounds), and an edit of the settings.
 * `started` is what came of them; null when nothing changed.
 * @throws LedgerError when the first revision cannot be written.
 */
export function openThresholds(options: ThresholdsOptions): {
  thresholds: Thresholds;
  started: Reported | null;
} {
  const { ledger, manifest, settingsRule, log } = options;
  let started: Reported | null = null;
  let stored = ledger.current();
  if (stored === null) {
    stored = asDelivered(manifest, 1);
    ledger.write({ revision: stored });
  } else if (stored.bundle !== manifest.digest) {
    const moved = underNewBundle(stored, manifest);
    stored = moved.stored;
    ledger.write({ revision: stored });
    started = reported(manifest, stored, null, moved.refusal === null ? 'applied' : 'refused', moved.refusal);
    log.info({ reported: started }, 'the bundle is another one: threshold derived anew');
  }
  const thresholds = control(options, stored);
  if (!sameRule(ledger.settingsRule() ?? null, settingsRule)) {
    started = thresholds.applySettings(settingsRule);
    log.info({ reported: started }, 'the threshold in the settings is another one than before');
  } else if (settingsRule !== null && !sameRule(settingsRule, stored.threshold.rule))
    log.info(
      { settings: settingsRule, inForce: stored.threshold, source: stored.source },
      'not the threshold of the settings is in force, but a newer one',
    );
  return { thresholds, started };
}

function control({ ledger, manifest }: ThresholdsOptions, first: StoredThreshold): Thresholds {
  let current = first;
  const say = (
    id: string | null,
    outcome: Reported['outcome'],
    reason: string | null,
    source: Reported['source'],
  ) => reported(manifest, current, id, outcome, reason, source);

  function change({ rule, source, id }: Change, settingsRule?: ThresholdRule | null): Reported {
    const conclude = (outcome: Reported['outcome'], reason: string | null, revision?: StoredThreshold) => {
      const write: ThresholdChange = {
        ...(revision === undefined ? {} : { revision }),
        ...(id === null ? {} : { answer: { id, rule, outcome, reason } }),
        ...(settingsRule === undefined ? {} : { settingsRule }),
      };
      ledger.write(write);
      current = revision ?? current;
      return say(id, outcome, reason, source);
    };
    try {
      if (sameRule(rule, current.threshold.rule)) return conclude('unchanged', null);
      let bounds: Bounds;
      try {
        bounds = deriveBounds(rule, manifest.calibration.scores);
      } catch (error) {
        if (error instanceof ConfigError) return conclude('refused', error.message);
        throw error;
      }
      const threshold = { rule, ...bounds, revision: current.threshold.revision + 1 };
      return conclude('applied', null, { threshold, source, bundle: manifest.digest });
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      return say(id, 'refused', error.message, source);
    }
  }

  return {
    current: () => current.threshold,
    apply(wanted) {
      const { id, rule, source } = wanted;
      let before: ReturnType<LedgerThresholds['answered']>;
      try {
        before = id === null ? null : ledger.answered(id, rule);
      } catch (error) {
        if (!(error instanceof LedgerError)) throw error;
        return say(id, 'refused', error.message, source);
      }
      if (before === null) return change(wanted);
      if (before.outcome === 'refused') return say(id, 'refused', before.reason, source);
      const reason = sameRule(rule, current.threshold.rule)
        ? null
        : 'This id was answered before, and a newer change holds. To apply it again, send it with a new id.';
      return say(id, 'unchanged', reason, source);
    },
    applySettings(rule) {
      const source = rule === null ? 'bundle' : 'file';
      try {
        if (sameRule(ledger.settingsRule() ?? null, rule)) return say(null, 'unchanged', null, source);
      } catch (error) {
        if (!(error instanceof LedgerError)) throw error;
        return say(null, 'refused', error.message, source);
      }
      return change({ rule: rule ?? manifest.threshold.rule, source, id: null }, rule);
    },
    refuse: (source, id, reason) => say(id, 'refused', reason, source),
  };
}

/** Who never chose a rule follows the bundle; a chosen rule stays, with the bounds that it has under the new one. */
function underNewBundle(
  { threshold, source }: StoredThreshold,
  manifest: ThresholdsOptions['manifest'],
): { stored: StoredThreshold; refusal: string | null } {
  const revision = threshold.revision + 1;
  if (source === 'bundle') return { stored: asDelivered(manifest, revision), refusal: null };
  try {
    const bounds = deriveBounds(threshold.rule, manifest.calibration.scores);
    const moved = { rule: threshold.rule, ...bounds, revision };
    return { stored: { threshold: moved, source, bundle: manifest.digest }, refusal: null };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      stored: asDelivered(manifest, revision),
      refusal: `The rule in force cannot be had from the new bundle, whose own one holds now: ${error.message}`,
    };
  }
}

function asDelivered(manifest: ThresholdsOptions['manifest'], revision: number): StoredThreshold {
  return { threshold: { ...manifest.threshold, revision }, source: 'bundle', bundle: manifest.digest };
}

function sameRule(a: ThresholdRule | null, b: ThresholdRule | null): boolean {
  return a === null || b === null ? a === b : canonicalRule(a) === canonicalRule(b);
}

function reported(
  { calibration: { scores } }: ThresholdsOptions['manifest'],
  stored: StoredThreshold,
  id: string | null,
  outcome: Reported['outcome'],
  reason: string | null,
  source: Reported['source'] = stored.source,
): Reported {
  const { threshold } = stored;
  const called = scores.filter((score) => judge(score, threshold, scores).verdict === 'review').length;
  return {
    schema: 'plumbline/reported/1',
    id,
    outcome,
    reason,
    source,
    threshold,
    calibrationReview: called / scores.length,
    note: noteOn(threshold, called, scores),
    at: new Date().toISOString(),
  };
}

/** In words, when a threshold calls all or none of the good images that it was calibrated on; else null. */
function noteOn({ upper }: Threshold, called: number, scores: readonly number[]): string | null {
  const n = scores.length;
  if (called === n)
    return `This threshold calls every one of the ${n} calibration images for review, and they are good: expect that of nearly every capture.`;
  if (called > 0) return null;
  const largest = scores[n - 1]!;
  const times = largest > 0 && upper > largest ? `, ${(upper / largest).toPrecision(3)} times that` : '';
  return `This threshold calls none of the ${n} calibration images for review: the largest of their scores is ${largest.toPrecision(4)}, the threshold ${upper.toPrecision(4)}${times}. A departure that scores less goes unseen.`;
}
