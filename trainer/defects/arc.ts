/** A bright arc, as of a reflection. */
import type { Family } from './family.ts';

/** Strength: grey values that it is brighter by. */
export const arc: Family = {
  name: 'arc',
  words: 'bright arc',
  strengths: [20, 45, 90],
  begin: (_, { radius }, strength, random) => {
    const middle = 2 * Math.PI * random();
    const half = (0.35 + 0.25 * random()) * Math.PI;
    const thickness = Math.max(1, 0.18 * radius);
    return (dx, dy, old) => {
      const turn = Math.abs(
        Math.atan2(Math.sin(Math.atan2(dy, dx) - middle), Math.cos(Math.atan2(dy, dx) - middle)),
      );
      const across = (Math.hypot(dx, dy) - 0.72 * radius) / thickness;
      if (turn > half || Math.abs(across) > 1.5) return old;
      return old + strength * Math.exp(-(across ** 2)) * Math.min(1, (4 * (half - turn)) / half);
    };
  },
};
