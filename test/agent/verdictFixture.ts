/** Captures and verdicts as the agent makes them, for tests of what becomes of them. */

import type { Capture } from '../../agent/capture.ts';
import { imageRef, verdictId } from '../../agent/deliver/identity.ts';
import type { LedgerRecords, Place } from '../../agent/deliver/ledgerRecords.ts';
import type { Verdict } from '../../config/verdict.ts';

export const KEY = Buffer.alloc(32, 7);
export const DEVICE = 'camera-1';

export function capture(name: string, more: Partial<Capture> = {}): Capture {
  return { name, size: 1234, modifiedNanoseconds: 1_753_000_000_123_456_789n, kind: 'file', ...more };
}

/** Makes the verdict on `of`; `padding` lengthens its message, in characters. */
export function verdictOn(of: Capture, padding = 0): (place: Place) => Verdict {
  const model = { name: 'phantom', version: '1', digest: `sha256:${'0'.repeat(64)}` };
  const said = { verdict: 'pass', reason: null, score: 0.25 } as const;
  return ({ seq, revision, supersedes }) => ({
    schema: 'plumbline/verdict/1',
    id: verdictId(KEY, DEVICE, of, { ...said, revision, model: model.digest }),
    seq,
    revision,
    supersedes,
    site: 'site',
    device: DEVICE,
    image: {
      ref: imageRef(KEY, of.name),
      bytes: of.size,
      width: 64,
      height: 48,
      format: 'png',
      ...(of.frame !== undefined && { frame: of.frame }),
    },
    ...said,
    p: 0.5,
    threshold: { value: 0.5, lower: null, rule: 'conformal', revision: 1 },
    message: padding === 0 ? null : 'x'.repeat(padding),
    model,
    capturedAt: '2026-01-02T03:04:05.678Z',
    scoredAt: '2026-01-02T03:04:06.789Z',
    milliseconds: { decode: 1.5, score: 2.5 },
  });
}

/** Records one verdict on a file that holds `frames` captures; null: the capture is recorded already. */
export function recordOne(
  ledger: Pick<LedgerRecords, 'record'>,
  of: Capture,
  contentSha256: string | null,
  makeVerdict: (place: Place) => Verdict,
  frames: number | null = 1,
): Verdict | null {
  return ledger.record([{ capture: of, contentSha256, makeVerdict, frames }])[0] ?? null;
}
