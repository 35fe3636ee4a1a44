/** The page of a comparison: the answer, the curves over each other, the figures. */
import * as Plot from '@observablehq/plot';
import type { Estimate, Rate } from '../evaluation/types.ts';
import { chart, legend } from '../report/chart.ts';
import { operatingPoints } from '../report/curves.ts';
import { type Html, html } from '../report/html.ts';
import { counted, figure, range, share } from '../report/numbers.ts';
import { page } from '../report/page.ts';
import { row, table } from '../report/tables.ts';
import type { ComparedRun, Comparison } from './compare.ts';

/** Colour and dashes together, so that lines can be told apart without colours as well. */
const COLOURS = ['var(--good)', 'var(--poor)', 'var(--mark)', 'var(--no)', 'var(--yes)', 'var(--unknown)'];
const DASHES = ['none', '7 3', '2 3', '10 3 2 3', '4 4', '12 4'];

/** The whole page. Equal input gives equal text. */
export function renderComparison(comparison: Comparison, command: string): string {
  const { runs, good, poor, groups, conclusions } = comparison;
  const images = `${counted(good, 'good image')} and ${counted(poor, 'poor one')}`;
  const drawn = groups === null ? 'each image counts alone' : `drawn again by ${counted(groups, 'group')}`;
  return page({
    title: 'Plumbline: comparison',
    kind: html`Plumbline comparison of <b>${runs.length}</b> models`,
    headline: headline(comparison),
    lead: html`<div class="answer ${decided(runs) ? 'yes' : 'unknown'}">${conclusions.map((sentence) => html`<p>${sentence}</p>`)}</div>`,
    body: html`<section>
<h2>How well each ranks poor above good</h2>
<p>All figures are of the ${images} that all of these models were tested on (${drawn}).</p>
${rocChart(runs)}
${figures(runs)}
</section>
<section>
<h2>Is the better one really better?</h2>
<p>Every resample draws the same images for both models, so that what is hard for both does not count. Only where the
interval of the difference leaves out 0 is one of them really better on images like these.</p>
${differences(runs)}
${runs.length > 2 ? html`<p class="note">Each is compared with the first alone. Of twenty such comparisons of equal models about one would seem real: the more are compared, the less one of them shows.</p>` : null}
</section>
<section>
<h2>How it was made</h2>
<pre>${command}</pre>
<dl class="facts">${runs.map(({ folder, model, digest, tested }) => html`<dt>${folder}</dt><dd>${model}, <code>${digest}</code>; tested on ${counted(tested, 'image')}, of which ${good + poor} are common to all</dd>`)}
<dt>Intervals</dt><dd>95 %, percentile bootstrap of 2,000 resamples (seed ${comparison.seed}), of counts Wilson</dd></dl>
</section>`,
    footer: 'What holds for these images holds for others only as far as they are like them.',
  });
}

const decided = (runs: readonly ComparedRun[]): boolean => runs.some(({ difference }) => isReal(difference));

const isReal = (difference: ComparedRun['difference']): boolean =>
  difference !== null && (difference.low > 0 || difference.high < 0);

function headline({ runs }: Comparison): string {
  const best = runs.toSorted((a, b) => b.auroc.value - a.auroc.value)[0]!;
  if (best.auroc.low <= 0.5) return 'None of these models ranks better than chance';
  if (!decided(runs)) return 'Which of these models is better cannot be told from these images';
  if (best.difference === null)
    return runs.slice(1).every(({ difference }) => isReal(difference))
      ? `${best.folder} is better than the others`
      : `None is better than ${best.folder}; not all are worse`;
  return isReal(best.difference)
    ? `${best.folder} is better than ${runs[0]!.folder}`
    : `None is shown to be better than ${runs[0]!.folder}`;
}

function rocChart(runs: readonly ComparedRun[]): Html {
  const lines = runs.map(({ folder, scores, auroc }, i) => ({
    folder,
    auroc,
    color: COLOURS[i % COLOURS.length]!,
    dash: DASHES[i % DASHES.length]!,
    points: operatingPoints(scores.good, scores.poor),
  }));
  const said = lines.map(({ folder, auroc }) => `${folder} ${figure(auroc.value)}`).join('; ');
  return chart({
    label: `ROC curves: share of poor images called for review over share of good ones. AUROC: ${said}.`,
    caption: html`Each threshold calls some good images by mistake and catches some poor ones; the further a curve lies to
      the upper left the better, the dotted line is chance. ${lines.map(({ folder, color }, i) => html`${i === 0 ? '' : ', '}${legend(folder, color)}`)}.`,
    size: 'half',
    draw: (narrow) => ({
      height: narrow ? 340 : 450,
      marginBottom: 44,
      marginTop: 28,
      x: {
        label: 'good images called by mistake',
        labelOffset: 40,
        domain: [0, 1],
        tickFormat: '.0%',
        ticks: 5,
      },
      y: { label: 'poor images caught', domain: [0, 1], tickFormat: '.0%', ticks: 5, grid: true },
      marks: [
        Plot.line(
          [
            [0, 0],
            [1, 1],
          ],
          { stroke: 'var(--muted)', strokeDasharray: '1 4' },
        ),
        ...lines.map(({ points, color, dash }) =>
          Plot.line(points, {
            x: 'falseAlarms',
            y: 'detection',
            stroke: color,
            strokeWidth: 2,
            strokeDasharray: dash,
          }),
        ),
      ],
    }),
  });
}

/** Two tables, so that each fits a narrow screen. */
function figures(runs: readonly ComparedRun[]): Html {
  const estimate = (e: Estimate) => [figure(e.value), `${figure(e.low)} to ${figure(e.high)}`] as const;
  const rate = (r: Rate) => [share(r.value), `${r.hits} of ${r.count}`] as const;
  return html`<div class="columns">${table(
    'Ranking, with 95 % intervals',
    ['model', 'AUROC', 'AUPRC'],
    runs.map(({ folder, model, auroc, auprc }) => row(folder, model, [estimate(auroc), estimate(auprc)])),
  )}${table(
    'Poor images caught: at 5 % false alarms (threshold set by this test), and at the threshold of the bundle',
    ['model', 'at 5 %', 'caught', 'by mistake'],
    runs.map(({ folder, caught, detection, falseAlarms }) =>
      row(folder, null, [[share(caught.value), range(caught)], rate(detection), rate(falseAlarms)]),
    ),
  )}</div>`;
}

function differences([first, ...others]: readonly ComparedRun[]): Html {
  return table(
    `AUROC of each minus that of ${first!.folder}; p is the chance of a difference as large when there is none`,
    ['model', 'difference', 'p', 'really different?'],
    others.map(({ folder, difference }) => {
      const { value, low, high, p } = difference!;
      return row(folder, null, [
        [value.toFixed(3), `${low.toFixed(3)} to ${high.toFixed(3)}`],
        p.toPrecision(2),
        isReal(difference) ? (value > 0 ? 'yes, better' : 'yes, worse') : 'cannot be told',
      ]);
    }),
  );
}
