/** What a bundle finds of each family of defects, in one line each. */
import { FAMILIES, SIZES } from './families.ts';
import type { Trial, Trials } from './types.ts';

/** A defect counts as found when this share of those that were planted is. */
export const FOUND = 0.5;

export interface Smallest {
  readonly family: string;
  readonly words: string;
  /** Smallest diameter, and of it the weakest strength, that is found; null: none of those that were tried. */
  readonly found: Trial | null;
  /** The largest and strongest that was tried. */
  readonly strongest: Trial;
}

/** One entry for each family that was tried, in the order of the families. */
export function smallestFound({ trials }: Trials): Smallest[] {
  return FAMILIES.flatMap(({ name, words }) => {
    const tried = trials.filter(({ family }) => family === name);
    const strongest = tried.at(-1);
    if (strongest === undefined) return [];
    const found = tried.find((trial) => trial.planted > 0 && trial.found / trial.planted >= FOUND) ?? null;
    return [{ family: name, words, found, strongest }];
  });
}

/** At most eight lines for a terminal. */
export function describeTrials(trials: Trials): string[] {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const width = Math.max(...FAMILIES.map(({ words }) => words.length));
  return [
    `smallest defect found at ${percent(trials.alpha)} false alarms (in at least half of the ${trials.clear} good images that it was drawn on):`,
    ...smallestFound(trials).map(({ words, found, strongest }) => {
      const of = ({ found: hits, planted }: Trial) => `${hits} of ${planted}`;
      return found === null
        ? `  ${words.padEnd(width)}  none up to ${percent(SIZES.at(-1)!)} of the side (${strongest.strength}: ${of(strongest)})`
        : `  ${words.padEnd(width)}  ${percent(found.size)} of the side, ${found.strength} (${of(found)})`;
    }),
  ];
}
