/** What a few poor examples changed. */
import type { Metrics } from '../metrics.ts';
import { type Html, html } from './html.ts';
import { counted } from './numbers.ts';
import { row, table } from './tables.ts';

export function examplesSection({ examples }: Metrics): Html | null {
  if (examples === null) return null;
  const { images, leftOut, weights, before, after, higher, lower } = examples;
  const estimate = ({ value, low, high }: typeof before) =>
    `${value.toFixed(3)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const out =
    leftOut === 0
      ? ''
      : ` ${counted(leftOut, 'labelled image')} left out of the test, as examples or of the group of one.`;
  return html`<section>
<h2>What the examples changed</h2>
<p>${counted(images, 'poor example')} weighed the voices and served for nothing else.${out} Against good images that training did not see, with 95 % intervals, the examples reach an AUROC of ${estimate(before)} without weights, and of ${estimate(after)} where each is scored by the weights that the others give: ${higher} of them rank higher, ${lower} lower. A voice that the examples do not show is never silent.</p>
${table(
  'How loud each voice speaks',
  ['voice', 'weight'],
  weights.map(({ voice, weight }) => row(voice, null, [weight.toFixed(2)])),
)}
</section>`;
}
