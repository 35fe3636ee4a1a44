/** What a pipeline under test makes its verdicts of. */
import type { Inspection } from '../../agent/inspect/inspection.ts';
import type { Manifest } from '../../config/bundle.ts';

export const scored: Inspection = {
  outcome: 'scored',
  score: 1,
  width: 1,
  height: 1,
  format: 'jpeg',
  bytes: 3,
  sha256: '0'.repeat(64),
  frames: 1,
  milliseconds: { decode: 1, score: 1 },
};
const manifest = {
  name: 'm',
  version: '1',
  digest: 'sha256:0',
  calibration: { scores: [1, 2], mapAlarm: 1 },
};
export const origin = {
  site: 's',
  device: 'd',
  key: Buffer.alloc(32),
  manifest: manifest as unknown as Manifest,
};
export const threshold = { rule: { rule: 'fixed', value: 2 }, upper: 2, lower: null, revision: 1 } as const;
