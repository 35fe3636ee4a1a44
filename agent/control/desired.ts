/** Desired settings as they come over MQTT: bytes from anybody who may publish there. */
import type { z } from 'zod';
import { issueInWords } from '../../config/issues.ts';
import { desired, type Reported } from '../../config/topics.ts';
import type { Thresholds } from './thresholds.ts';

/** More is not looked at, bytes. A sensible one has a hundred. */
const MOST_BYTES = 16_384;
/** Longest reason that is sent back, characters. */
const MOST_REASON = 500;
/** Of one of its parts. */
const MOST_PROBLEM = 110;
const EXPECTED = 'Expected {"id": "...", "threshold": {"rule": "conformal", "alpha": 0.02}} or the like.';

/**
 * Applies a message on `config/desired` and returns what to answer on `config/reported`. Null for an empty one: so
 * a retained message is cleared (MQTT 5, section 3.3.1.3). Never throws because of what the message holds.
 */
export function answerDesired(payload: Uint8Array, thresholds: Thresholds): Reported | null {
  if (payload.length === 0) return null;
  const refuse = (id: string | null, reason: string) =>
    thresholds.refuse('mqtt', id, reason.slice(0, MOST_REASON));
  if (payload.length > MOST_BYTES)
    return refuse(null, `The message has ${payload.length} bytes; at most ${MOST_BYTES} are read.`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return refuse(null, `The message is no JSON in UTF-8. ${EXPECTED}`);
  }
  const parsed = desired.safeParse(value);
  if (!parsed.success) return refuse(idOf(value), `${problems(parsed.error.issues, value)}. ${EXPECTED}`);
  return thresholds.apply({ rule: parsed.data.threshold, source: 'mqtt', id: parsed.data.id });
}

/** The id of a message that is wrong otherwise, so that its sender recognises the answer. */
function idOf(value: unknown): string | null {
  const parsed = desired.pick({ id: true }).strip().safeParse(value);
  return parsed.success ? parsed.data.id : null;
}

/** The first ones: a hostile message has as many as it likes. */
function problems(issues: readonly z.core.$ZodIssue[], value: unknown): string {
  return issues
    .slice(0, 3)
    .map((issue) => issueInWords(issue, value).slice(0, MOST_PROBLEM))
    .join('; ');
}
