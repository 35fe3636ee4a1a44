/** The section of pictures. */
import { regionAsText } from '../../agent/inspect/mask.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import { type Html, html } from './html.ts';
import { equation, short, shortened } from './numbers.ts';
import type { Picture, PictureGroup } from './pictures.ts';

/** null when there is not one picture. */
export function gallery({ bundle }: EvaluationMetrics, groups: readonly PictureGroup[]): Html | null {
  if (groups.length === 0) return null;
  const { width, height, channels, frames, mask = [] } = bundle.input;
  const redraws = groups.some(({ pictures }) => pictures.some((picture) => picture.reconstruction !== null));
  const seen = `${width} x ${height} pixels, ${channels === 1 ? 'grey' : 'RGB'}${frames > 1 ? `, the first of ${frames} frames` : ''}${mask.length > 0 ? `, blanked at ${mask.map(regionAsText).join(' and ')} as --mask asked` : ''}`;
  return html`<section>
<h2>What it sees</h2>
<p>Each strip shows the capture as the model sees it (${seen})${redraws ? ', what the model redraws, and where the two differ' : ', and where it departs from good ones'}.</p>
<p class="scale"><span>${redraws ? 'difference' : 'departure'}</span> <span>0</span><i></i><span>${short(bundle.mapAlarm)} and more</span></p>
<p class="note">The colours mean the same in every picture: the scale was fixed at calibration, where 19 of 20 good images had not one spot beyond its end. The share p says how many good images would score at least as high.</p>
${groups.map(({ title, note, pictures }) => html`<h3>${title}</h3>${note === undefined ? null : html`<p>${note}</p>`}<div class="cards">${pictures.map(card)}</div>`)}
</section>`;
}

function card({ name, score, p, verdict, original, reconstruction, map, small, evidence }: Picture): Html {
  return html`<figure class="card"><div class="strip${small ? ' small' : ''}">
<img src="${original}" alt="${name} as the model sees it">${reconstruction === null ? null : html`<img src="${reconstruction}" alt="${name} as the model redraws it">`}<img src="${map}" alt="Where ${reconstruction === null ? 'it departs from good ones' : 'the two differ'}; score ${short(score)}, ${verdict}">
</div><figcaption><span>score ${short(score)}</span><span>${equation('p', p)}</span><span class="verdict ${verdict}">${verdict}</span><span class="file" title="${name}">${shortened(name, 38)}</span>${evidence.map((sentence) => html`<small>${sentence}</small>`)}</figcaption></figure>`;
}
