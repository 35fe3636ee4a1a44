/** Dark specks, as of dust on a lens or a sensor. */
import { type Family, softDisc } from './family.ts';

const SPECKS = 7;

/** Strength: share of the light that each speck takes. */
export const dust: Family = {
  name: 'dust',
  words: 'dust',
  strengths: [0.2, 0.45, 0.8],
  begin: (_, { radius }, strength, random) => {
    const specks = Array.from({ length: SPECKS }, () => {
      const size = Math.max(1.5, (0.08 + 0.08 * random()) * radius);
      const [angle, far] = [2 * Math.PI * random(), Math.sqrt(random()) * Math.max(0, radius - size)];
      return { size, x: far * Math.cos(angle), y: far * Math.sin(angle) };
    });
    return (dx, dy, old) =>
      specks.reduce(
        (value, { size, x, y }) => value * (1 - strength * softDisc(Math.hypot(dx - x, dy - y), size, 0.5)),
        old,
      );
  },
};
