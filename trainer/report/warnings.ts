/** The warnings of an evaluation, in a box that cannot be overlooked. */
import type { Evaluation, Warning } from '../evaluation/types.ts';
import { type Html, html } from './html.ts';
import { counted } from './numbers.ts';

/** Serious ones first, then what could not be checked. A single line where there is nothing to say. */
export function warningBox({ warnings, unchecked }: Evaluation): Html {
  const serious = warnings.filter(({ severity }) => severity === 'serious');
  const notable = warnings.filter(({ severity }) => severity === 'notable');
  if (warnings.length === 0)
    return html`<section class="calm" aria-label="Warnings"><p><b>No warning.</b> The checks for copies between training and test, for
      inverted scores, for shortcuts that give the class away, for shifted images and for contradicting labels found
      nothing.</p>${uncheckedList(unchecked)}</section>`;
  const title = [
    serious.length > 0 ? counted(serious.length, 'serious warning') : '',
    notable.length > 0 ? `${notable.length} ${serious.length > 0 ? 'more ' : ''}to note` : '',
  ].filter((part) => part !== '');
  return html`<section class="warnings ${serious.length > 0 ? 'serious' : 'notable'}">
<h2>${title.join(', ')}</h2>
<ul>${[...serious, ...notable].map(item)}</ul>
${uncheckedList(unchecked)}</section>`;
}

const item = ({ severity, message, advice }: Warning): Html =>
  html`<li class="${severity}"><p><span class="badge">${severity === 'serious' ? 'Serious' : 'Note'}</span> <b>${message}</b></p><p>${advice}</p></li>`;

function uncheckedList(unchecked: readonly string[]): Html | null {
  if (unchecked.length === 0) return null;
  return html`<div class="unchecked"><p><b>Not checked:</b></p><ul>${unchecked.map((sentence) => html`<li>${sentence}</li>`)}</ul></div>`;
}
