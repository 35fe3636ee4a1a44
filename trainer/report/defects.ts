/** The section on planted defects: what this bundle finds, what it cannot see, and what such defects look like. */
import sharp from 'sharp';
import type { Preprocessing } from '../../config/preprocessing.ts';
import { DEFECTS, FAMILIES, SIZES, STRENGTHS } from '../defects/families.ts';
import { plant } from '../defects/plant.ts';
import { FOUND, smallestFound } from '../defects/smallest.ts';
import type { Trials } from '../defects/types.ts';
import { type Html, html } from './html.ts';
import { share } from './numbers.ts';
import { row, table } from './tables.ts';

/** A defect of each family as it looks on one good image: data URIs by the name of the family. */
export type DefectPictures = ReadonlyMap<string, string>;

/** Side of the pictures, in pixels. */
const SIDE = 160;

/**
 * Draws the smallest defect of each family that was found, else the largest and strongest, on one good image, uint8
 * `[height, width, channels]`.
 */
export async function drawDefects(
  pixels: Uint8Array,
  { width, height, channels }: Preprocessing,
  trials: Trials,
): Promise<DefectPictures> {
  const pictures = new Map<string, string>();
  for (const { family: name, found, strongest } of smallestFound(trials)) {
    const { size, strength } = found ?? strongest;
    const defect = DEFECTS.find(
      (one) => one.family.name === name && one.size === size && STRENGTHS[one.strength] === strength,
    );
    if (defect === undefined) continue;
    const planted = plant({ pixels, width, height, channels }, defect, 'picture');
    const scale = SIDE / Math.max(width, height);
    const jpeg = await sharp(planted.pixels, { raw: { width, height, channels } })
      .resize(Math.max(1, Math.round(scale * width)), Math.max(1, Math.round(scale * height)))
      .jpeg({ quality: 80, chromaSubsampling: '4:4:4' })
      .toBuffer();
    pictures.set(name, `data:image/jpeg;base64,${jpeg.toString('base64')}`);
  }
  return pictures;
}

/** null when nothing was planted. */
export function defectSection(trials: Trials | null, pictures: DefectPictures): Html | null {
  if (trials === null) return null;
  const { clear, alpha } = trials;
  const columns = SIZES.flatMap((size) => STRENGTHS.map((strength) => ({ size, strength })));
  return html`<section>
<h2>What it can find, and what it cannot</h2>
<p>Defects of our own were drawn on ${clear} good images that the scoring graph had not seen and does not call as they are: six kinds, two sizes, three strengths. The figures are the shares found at ${share(alpha)} false alarms. Where a share is low, a flaw like it will be missed.</p>
${table(
  `Found at ${share(alpha)} false alarms; size is the diameter as a share of the image's shorter side`,
  ['defect', ...columns.map(({ size, strength }) => `${share(size)}, ${strength}`)],
  FAMILIES.map(({ name, words }) =>
    row(
      words,
      null,
      columns.map(({ size, strength }) => {
        const trial = trials.trials.find(
          (one) => one.family === name && one.size === size && one.strength === strength,
        );
        return trial === undefined || trial.planted === 0 ? '-' : share(trial.found / trial.planted);
      }),
    ),
  ),
)}
<p class="note">Smallest defect found: the smallest and weakest of which at least ${share(FOUND)} are found. It is shown below on a good image of ordinary score; where none is found, the largest and strongest that was tried.</p>
<div class="cards">${smallestFound(trials).map(({ family, words, found, strongest }) => {
    const shown = found ?? strongest;
    const uri = pictures.get(family);
    if (uri === undefined) return null;
    const what = `${words}, ${share(shown.size)} of the side, ${shown.strength}`;
    return html`<figure class="card"><div class="strip"><img src="${uri}" alt="A good image with a planted defect: ${what}"></div><figcaption><span>${what}</span><span class="verdict ${found === null ? 'review' : 'pass'}">${found === null ? `missed: ${shown.found} of ${shown.planted} found` : `${shown.found} of ${shown.planted} found`}</span></figcaption></figure>`;
  })}</div>
</section>`;
}
