/** What 8-bit integers cost and gain. */
import type { Metrics } from '../metrics.ts';
import { comparedOn, MOST_CHANGED, MOST_LOST } from '../quantize/gate.ts';
import type { Both, Comparison } from '../quantize/types.ts';
import { type Html, html } from './html.ts';
import { counted, range, share, short, size } from './numbers.ts';
import { row, table } from './tables.ts';

export function quantizationSection({ quantization }: Metrics): Html | null {
  if (quantization === null) return null;
  const { comparison } = quantization;
  return html`<section>
<h2>In 8-bit integers</h2>
${
  quantization.refused === null
    ? html`<p>The bundle computes its convolutions in 8-bit integers, and its threshold was set so.</p>`
    : html`<p class="aside"><b>Refused.</b> The bundle stays in float32: ${quantization.refused}.</p>`
}
${comparison === null ? null : figures(comparison)}
</section>`;
}

function figures({
  layers,
  float,
  noise,
  gate: { verdicts, auroc },
  threshold,
  graphBytes,
  bundleBytes,
  milliseconds,
}: Comparison): Html {
  const pair = (values: Both, format: (value: number) => string) => [
    format(values.float),
    format(values.quantized),
  ];
  return html`<div class="columns">
${table(
  'What it gains',
  ['measured', 'float32', 'integers'],
  [
    row(
      'Time of one image',
      'median of the graph alone, one thread',
      pair(milliseconds, (ms) => `${short(ms)} ms`),
    ),
    row('Size of the graph', null, pair(graphBytes, size)),
    row('Size of the bundle', 'with the images that prove it', pair(bundleBytes, size)),
    row('Threshold', 'each by its own scores', pair(threshold, short)),
  ],
)}
${table(
  'What it costs',
  ['measured', 'figure'],
  [
    row(
      'Verdicts that change',
      `of ${counted(verdicts.compared, 'image')}, ${comparedOn(verdicts)}; ${share(MOST_CHANGED)} may`,
      [
        [
          `${verdicts.changed}`,
          `${share(verdicts.changed / verdicts.compared)}, 95 % interval ${range(verdicts)}`,
        ],
      ],
    ),
    row('Change of the AUROC', `it may fall by ${MOST_LOST}`, [
      auroc === null
        ? ['-', 'needs labelled images of both kinds']
        : [signed(auroc.value), `${signed(auroc.low)} to ${signed(auroc.high)}`],
    ]),
    row('Scores move by', 'standard deviation, of that of the scores', [share(noise)]),
    row('Convolutions in integers', float.length === 0 ? null : `in float32: ${float.join(', ')}`, [
      `${layers} of ${layers + float.length}`,
    ]),
  ],
)}
</div>`;
}

const signed = (value: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(3)}`;
