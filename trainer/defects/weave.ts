/** A patch of foreign texture: two gratings that cross, as of cloth. */
import { type Family, softDisc } from './family.ts';

/** Strength: grey values that it departs by, up and down. */
export const weave: Family = {
  name: 'weave',
  words: 'foreign texture',
  strengths: [6, 14, 32],
  begin: ({ width, height }, { radius }, strength, random) => {
    const angle = Math.PI * random();
    const period = (0.018 + 0.012 * random()) * Math.min(width, height);
    const wave = (distance: number) => Math.sin((2 * Math.PI * distance) / period);
    return (dx, dy, old) => {
      const along = dx * Math.cos(angle) + dy * Math.sin(angle);
      const across = dy * Math.cos(angle) - dx * Math.sin(angle);
      const texture = (wave(along) + wave(across)) / 2;
      return old + strength * texture * softDisc(Math.hypot(dx, dy), radius, 0.8);
    };
  },
};
