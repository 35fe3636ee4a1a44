/** The tables of the test's results. */
import { percent } from '../console.ts';
import type { Evaluation, Rate } from '../evaluate.ts';
import { type Html, html } from './html.ts';

export function testTables(evaluation: Evaluation): Html {
  return html`<div class="columns">${confusion(evaluation)}${rates(evaluation)}</div>${rules(evaluation)}${notes(evaluation)}`;
}

function rates({ detection, falseAlarms, accuracy, flagEverything }: Evaluation): Html {
  const row = (title: string, { hits, count, value, low, high }: Rate) =>
    count === 0
      ? html`<tr><th scope="row">${title}</th><td class="number" colspan="2">no images</td></tr>`
      : html`<tr><th scope="row">${title}</th><td class="number">${hits} of ${count}</td><td class="number">${percent(value)}<small>${percent(low)} to ${percent(high)}</small></td></tr>`;
  return html`<table><caption>At the threshold, with 95 % intervals (Wilson)</caption>
<thead><tr><th scope="col">of test images</th><th scope="col" class="number">count</th><th scope="col" class="number">share</th></tr></thead>
<tbody>${row('Poor, called for review', detection)}${row('Good, called by mistake', falseAlarms)}${row('Judged rightly (accuracy)', accuracy)}
<tr><th scope="row">Accuracy of calling everything</th><td></td><td class="number">${percent(flagEverything)}</td></tr></tbody></table>`;
}

function confusion({ detection, falseAlarms }: Evaluation): Html {
  return html`<table><caption>What it said of what (confusion matrix)</caption>
<thead><tr><th scope="col">labelled</th><th scope="col" class="number">pass</th><th scope="col" class="number">review</th></tr></thead>
<tbody><tr><th scope="row">good</th><td class="number">${falseAlarms.count - falseAlarms.hits}</td><td class="number">${falseAlarms.hits}</td></tr>
<tr><th scope="row">poor</th><td class="number">${detection.count - detection.hits}</td><td class="number">${detection.hits}</td></tr></tbody></table>`;
}

function rules({ auroc, baselines }: Evaluation): Html | null {
  if (auroc === null) return null;
  const row = (name: string, rule: string, value: number, note: string | null) =>
    html`<tr><th scope="row">${name}<small>${rule}</small></th><td class="number">${value.toFixed(3)}${note === null ? null : html`<small>${note}</small>`}</td><td class="number">${(1 - value).toFixed(3)}</td></tr>`;
  return html`<table><caption>How well each ranks poor above good (AUROC). The last column is what the opposite rule would reach.</caption>
<thead><tr><th scope="col">by</th><th scope="col" class="number">AUROC</th><th scope="col" class="number">opposite</th></tr></thead>
<tbody>${row('This model', 'large scores are poor', auroc.value, `${auroc.low.toFixed(3)} to ${auroc.high.toFixed(3)}`)}
${row('Calling everything for review', 'every image is poor', 0.5, null)}
${baselines.map(({ name, rule, auroc }) => row(name, rule, auroc, null))}</tbody></table>`;
}

function notes({ refused, leaked }: Evaluation): Html {
  return html`${
    refused.length === 0
      ? null
      : html`<p class="note">${refused.length} test files could not be scored and are not counted: ${refused
          .slice(0, 5)
          .map(({ name, reason }) => `${name} (${reason})`)
          .join(', ')}${refused.length > 5 ? ' and more, see metrics.json' : ''}.</p>`
  }${leaked.length === 0 ? null : html`<p class="note">Also in the training folder: ${leaked.slice(0, 5).join(', ')}${leaked.length > 5 ? ' and more' : ''}.</p>`}`;
}
