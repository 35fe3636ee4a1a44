/** A dark spot with a soft rim, as of something in the way of the light. */
import { type Family, softDisc } from './family.ts';

/** Strength: share of the light that it takes. */
export const blob: Family = {
  name: 'blob',
  words: 'dark blob',
  strengths: [0.15, 0.35, 0.7],
  begin: (_, { radius }, strength, random) => {
    const [angle, flat] = [Math.PI * random(), 0.7 + 0.3 * random()];
    return (dx, dy, old) => {
      const along = dx * Math.cos(angle) + dy * Math.sin(angle);
      const across = (dy * Math.cos(angle) - dx * Math.sin(angle)) / flat;
      return old * (1 - strength * softDisc(Math.hypot(along, across), radius, 0.4));
    };
  },
};
