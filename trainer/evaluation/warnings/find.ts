/** Everything that makes the figures of an evaluation less than they seem. */
import type { Warning } from '../types.ts';
import { captureOrder } from './capture-order.ts';
import { contradictoryLabels, strayLabels } from './contradictory-labels.ts';
import type { FindWarning, WarningInput } from './input.ts';
import { chanceScore, invertedScore } from './inverted-score.ts';
import { refusedImages } from './refused-images.ts';
import { sharedGroups } from './shared-groups.ts';
import { sharedImages } from './shared-images.ts';
import { shiftedCaptures } from './shifted-captures.ts';
import { SHORTCUT_CODES, SHORTCUTS } from './shortcut.ts';
import { smallCalibration } from './small-calibration.ts';
import { trivialBaseline } from './trivial-baseline.ts';

/** In the order in which they matter. */
const FINDERS: readonly FindWarning[] = [
  sharedImages,
  sharedGroups,
  contradictoryLabels,
  invertedScore,
  chanceScore,
  trivialBaseline,
  ...SHORTCUTS,
  shiftedCaptures,
  smallCalibration,
  strayLabels,
  captureOrder,
  refusedImages,
];

/** Every code that `findWarnings` may give, as docs/warnings.md explains them. */
export const WARNING_CODES: readonly string[] = [
  'shared-images',
  'shared-groups',
  'contradictory-labels',
  'inverted-score',
  'chance-score',
  'trivial-baseline',
  ...SHORTCUT_CODES,
  'shifted-captures',
  'small-calibration',
  'stray-labels',
  'capture-order',
  'refused-images',
];

/** Serious ones first. Takes up to half a minute for tens of thousands of images; equal input gives equal warnings. */
export function findWarnings(input: WarningInput): Warning[] {
  const found = FINDERS.flatMap((find) => find(input) ?? []);
  return [
    ...found.filter(({ severity }) => severity === 'serious'),
    ...found.filter(({ severity }) => severity === 'notable'),
  ];
}
