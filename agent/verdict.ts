/** Puts a verdict together: what was seen, what was judged, by which threshold and model. */
import type { Manifest } from '../config/bundle.ts';
import type { Threshold } from '../config/threshold.ts';
import type { Verdict } from '../config/verdict.ts';
import { type Capture, frameOf, instantOf } from './capture.ts';
import { imageRef, verdictId } from './deliver/identity.ts';
import type { Place } from './deliver/ledgerRecords.ts';
import { isOneOfSeveral } from './inspect/frames.ts';
import type { Inspection } from './inspect/inspection.ts';
import { judge } from './inspect/judge.ts';

/** Where verdicts are made: the same for all of one run. */
export interface Origin {
  readonly site: string;
  readonly device: string;
  readonly key: Buffer;
  readonly manifest: Manifest;
}

/** The verdict on `capture` by the threshold in force. `place` is what the ledger gives it. */
export function makeVerdict(
  origin: Origin,
  threshold: Threshold,
  capture: Capture,
  inspection: Inspection,
  { seq, revision, supersedes }: Place,
): Verdict {
  const { site, device, key, manifest } = origin;
  const scored = inspection.outcome === 'scored';
  const frame = frameOf(capture);
  const judged = scored
    ? {
        score: inspection.score,
        ...judge(inspection.score, threshold, manifest.calibration.scores),
        message: null,
      }
    : {
        score: null,
        p: null,
        verdict: 'unscorable' as const,
        reason: inspection.reason,
        message: inspection.message,
      };
  return {
    schema: 'plumbline/verdict/1',
    id: verdictId(key, device, capture, {
      revision,
      verdict: judged.verdict,
      reason: judged.reason,
      score: judged.score,
      model: manifest.digest,
    }),
    seq,
    revision,
    supersedes,
    site,
    device,
    image: {
      ref: imageRef(key, capture.name),
      bytes: capture.size,
      width: scored ? inspection.width : null,
      height: scored ? inspection.height : null,
      format: scored ? inspection.format : null,
      ...(isOneOfSeveral(frame, inspection) && { frame }),
    },
    ...judged,
    ...(scored && inspection.evidence !== undefined && { evidence: [...inspection.evidence] }),
    threshold: {
      value: threshold.upper,
      lower: threshold.lower,
      rule: threshold.rule.rule,
      revision: threshold.revision,
    },
    model: { name: manifest.name, version: manifest.version, digest: manifest.digest },
    capturedAt: instantOf(capture.modifiedNanoseconds),
    scoredAt: new Date().toISOString(),
    milliseconds: scored ? inspection.milliseconds : { decode: null, score: null },
  };
}
