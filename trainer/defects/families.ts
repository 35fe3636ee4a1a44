/** The planted defects that there are: what a bundle is tried with. */
import { arc } from './arc.ts';
import { blob } from './blob.ts';
import { blur } from './blur.ts';
import { dust } from './dust.ts';
import type { Family } from './family.ts';
import { scratch } from './scratch.ts';
import { weave } from './weave.ts';

export const FAMILIES: readonly Family[] = [blur, arc, scratch, blob, weave, dust];

/** Diameters, as shares of the shorter side of the image. */
export const SIZES = [0.06, 0.18] as const;

/** Their order is that of `Family.strengths`. */
export const STRENGTHS = ['weak', 'medium', 'strong'] as const;

/** One kind of defect that is planted. */
export interface Defect {
  readonly family: Family;
  /** One of `SIZES`, or any share between 0 and 1. */
  readonly size: number;
  /** Index in `STRENGTHS`. */
  readonly strength: number;
}

/** Every family in every size and strength: from small to large, within it from weak to strong. */
export const DEFECTS: readonly Defect[] = FAMILIES.flatMap((family) =>
  SIZES.flatMap((size) => [...STRENGTHS.keys()].map((strength) => ({ family, size, strength }))),
);
