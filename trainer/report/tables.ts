/** The tables of the test's results. */
import type { ClassReport, Estimate, Evaluation, Rate } from '../evaluation/types.ts';
import { balancedRange } from './conclusion.ts';
import { type Html, html } from './html.ts';
import { counted, figure, range, share } from './numbers.ts';

/** `twoSided`: the bundle calls small scores as well, which a ranking by large scores does not tell. */
export function testTables(evaluation: Evaluation, twoSided: boolean): Html {
  return html`<div class="columns">${figures(evaluation)}<div>${confusion(evaluation)}${classification(evaluation)}${detectionAt(evaluation)}</div></div>${kinds(evaluation)}${rules(evaluation, twoSided)}${refused(evaluation)}`;
}

/** A table of `head` (the first column names the row) and rows of cells. */
export function table(caption: string, head: readonly string[], rows: readonly Html[]): Html {
  return html`<table><caption>${caption}</caption>
<thead><tr>${head.map((title, i) => html`<th scope="col"${i === 0 ? null : html` class="number"`}>${title}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table>`;
}

/** One row: its name, a note under it, and cells; a cell may have a note under it. */
export function row(
  name: string,
  note: string | null,
  cells: readonly (string | readonly [string, string])[],
): Html {
  const cell = (content: string | readonly [string, string]) =>
    typeof content === 'string'
      ? html`<td class="number">${content}</td>`
      : html`<td class="number">${content[0]}<small>${content[1]}</small></td>`;
  return html`<tr><th scope="row">${name}${note === null ? null : html`<small>${note}</small>`}</th>${cells.map(cell)}</tr>`;
}

function figures(evaluation: Evaluation): Html {
  const { auroc, auprc, detection, falseAlarms, accuracy, balancedAccuracy, flagEverything, groups } =
    evaluation;
  const of = (title: string, rate: Rate) =>
    rate.count === 0
      ? row(title, 'no images', ['-'])
      : row(title, `${rate.hits} of ${rate.count}`, [[share(rate.value), range(rate)]]);
  const by = groups === null ? 'each image counts alone' : `drawn again by ${counted(groups, 'group')}`;
  return table(
    `At the bundle's threshold, with 95 % intervals (Wilson; of balanced accuracy Newcombe; of the areas bootstrap, ${by})`,
    ['of test images', 'figure'],
    [
      of('Poor, called for review', detection),
      of('Good, called by mistake', falseAlarms),
      of('Judged rightly (accuracy)', accuracy),
      row('Accuracy of calling everything', null, [share(flagEverything)]),
      row('Balanced accuracy', 'mean of the two recalls; chance is 50 %', [
        balancedAccuracy === null ? '-' : [share(balancedAccuracy), range(balancedRange(evaluation))],
      ]),
      row('Ranking (AUROC)', 'chance is 0.5', [estimate(auroc)]),
      row('Average precision (AUPRC)', auprc === null ? null : `chance is ${figure(flagEverything)}`, [
        estimate(auprc),
      ]),
    ],
  );
}

const estimate = (value: Estimate | null): string | readonly [string, string] =>
  value === null ? '-' : [figure(value.value), `${figure(value.low)} to ${figure(value.high)}`];

function detectionAt({ detectionAt }: Evaluation): Html | null {
  if (detectionAt.length === 0) return null;
  return table(
    'Poor images caught if the threshold were set by this very test, with 95 % bootstrap intervals',
    ['at false alarms of', 'caught'],
    detectionAt.map((d) => row(share(d.falseAlarms), null, [[share(d.value), range(d)]])),
  );
}

function confusion({ detection, falseAlarms }: Evaluation): Html {
  const cells = ({ count, hits }: Rate) => [String(count - hits), String(hits)];
  return table(
    'What it said of what (confusion matrix)',
    ['labelled', 'pass', 'review'],
    [row('good', null, cells(falseAlarms)), row('poor', null, cells(detection))],
  );
}

function classification({ report }: Evaluation): Html {
  const value = (v: number | null) => (v === null ? '-' : figure(v));
  return table(
    'Classification report: both labels as the class to be found',
    ['class', 'precision', 'recall', 'F1', 'support'],
    report.map(({ label, precision, recall, f1, support }: ClassReport) =>
      row(label, null, [value(precision), value(recall), value(f1), support.toLocaleString('en')]),
    ),
  );
}

function kinds({ kinds }: Evaluation): Html | null {
  if (kinds.length === 0) return null;
  return table(
    'Each kind of anomaly, against all good test images',
    ['kind', 'called for review', 'AUROC'],
    kinds.map(({ kind, count, detection, auroc }) =>
      row(kind, counted(count, 'image'), [
        [share(detection.value), `${detection.hits} of ${detection.count}; ${range(detection)}`],
        estimate(auroc),
      ]),
    ),
  );
}

function rules(evaluation: Evaluation, twoSided: boolean): Html | null {
  const { auroc, baselines, flagEverything, accuracy, detection, falseAlarms } = evaluation;
  if (auroc === null) return null;
  const alarms = counted(falseAlarms.hits, 'good image');
  const bounds = twoSided ? ' AUROC is of large scores alone; the model calls small ones as well.' : '';
  return table(
    `What each catches of the poor images when it calls ${alarms}, as many as this model, and how well it ranks poor above good (AUROC; 1 minus it is what the opposite rule would reach).${bounds}`,
    ['by', 'caught', 'AUROC'],
    [
      row('This model', twoSided ? 'scores outside the bounds are poor' : 'large scores are poor', [
        share(detection.value),
        estimate(auroc),
      ]),
      ...baselines.map(({ name, rule, auroc, caught }) =>
        row(
          name,
          auroc === null ? `${rule}; not measured: the training images are not at hand` : rule,
          auroc === null || caught === null ? ['-', '-'] : [share(caught), figure(auroc)],
        ),
      ),
      row(
        'Calling everything for review',
        `every image is poor; accuracy ${share(flagEverything)}, this model ${share(accuracy.value)}`,
        ['-', '0.500'],
      ),
    ],
  );
}

function refused({ refused }: Evaluation): Html | null {
  if (refused.length === 0) return null;
  const some = refused.slice(0, 5).map(({ name, reason }) => `${name} (${reason})`);
  const more = refused.length > some.length ? ' and more, see metrics.json' : '';
  return html`<p class="note">${counted(refused.length, 'test file')} could not be scored and ${refused.length === 1 ? 'is' : 'are'} not counted: ${some.join(', ')}${more}.</p>`;
}
