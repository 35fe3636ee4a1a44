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
import { LedgerWriteError } from '../deliver/transaction.ts';
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
 * @throws LedgerWriteError when the first revision cannot be written.
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
    started = reported(stored, null, moved.refusal === null ? 'applied' : 'refused', moved.refusal);
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

  function change({ rule, source, id }: Change, settingsRule?: ThresholdRule | null): Reported {
    const conclude = (outcome: Reported['outcome'], reason: string | null, revision?: StoredThreshold) => {
      const write: ThresholdChange = {
        ...(revision === undefined ? {} : { revision }),
        ...(id === null ? {} : { answer: { id, rule, outcome, reason } }),
        ...(settingsRule === undefined ? {} : { settingsRule }),
      };
      ledger.write(write);
      current = revision ?? current;
      return reported(current, id, outcome, reason, source);
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
      if (!(error instanceof LedgerWriteError)) throw error;
      return reported(current, id, 'refused', error.message, source);
    }
  }

  return {
    current: () => current.threshold,
    apply(wanted) {
      const before = wanted.id === null ? null : ledger.answered(wanted.id, wanted.rule);
      if (before === null) return change(wanted);
      if (before.outcome === 'refused')
        return reported(current, wanted.id, 'refused', before.reason, wanted.source);
      const reason = sameRule(wanted.rule, current.threshold.rule)
        ? null
        : 'This id was answered before, and a newer change holds. To apply it again, send it with a new id.';
      return reported(current, wanted.id, 'unchanged', reason, wanted.source);
    },
    applySettings(rule) {
      const source = rule === null ? 'bundle' : 'file';
      if (sameRule(ledger.settingsRule() ?? null, rule))
        return reported(current, null, 'unchanged', null, source);
      return change({ rule: rule ?? manifest.threshold.rule, source, id: null }, rule);
    },
    refuse: (source, id, reason) => reported(current, id, 'refused', reason, source),
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
  stored: StoredThreshold,
  id: string | null,
  outcome: Reported['outcome'],
  reason: string | null,
  source: Reported['source'] = stored.source,
): Reported {
  const at = new Date().toISOString();
  return { schema: 'plumbline/reported/1', id, outcome, reason, source, threshold: stored.threshold, at };
}
