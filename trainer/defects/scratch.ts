/** A thin straight line, darker or brighter than what it crosses. */
import type { Family } from './family.ts';

/** Strength: grey values that it differs by. */
export const scratch: Family = {
  name: 'scratch',
  words: 'scratch',
  strengths: [15, 35, 70],
  begin: ({ width, height }, { radius }, strength, random) => {
    const angle = Math.PI * random();
    const sign = random() < 0.5 ? -1 : 1;
    const thickness = Math.max(0.7, 0.004 * Math.min(width, height));
    return (dx, dy, old) => {
      const across = Math.abs(dy * Math.cos(angle) - dx * Math.sin(angle)) / thickness;
      const ends = Math.min(1, Math.max(0, radius - Math.hypot(dx, dy)));
      return across > 2 ? old : old + sign * strength * ends * Math.exp(-(across ** 2) / 2);
    };
  },
};
