/** The report: one HTML file that says what came out, shows it, and tells how to repeat it. No script, no network. */
import type { EvaluationMetrics, Metrics } from '../metrics.ts';
import { labelledChart, lossChart } from './charts/loss.ts';
import { operatingCharts } from './charts/operating.ts';
import { promiseChart, promiseTable } from './charts/promise.ts';
import { rankingChart } from './charts/ranking.ts';
import { scoreChart } from './charts/scores.ts';
import { tuningChart } from './charts/tuning.ts';
import { conclude, headline, isTwoSided, usable } from './conclusion.ts';
import { type DefectPictures, defectSection } from './defects.ts';
import { examplesSection } from './examples.ts';
import { gallery } from './gallery.ts';
import { type Html, html } from './html.ts';
import { modelSection } from './model.ts';
import { counted } from './numbers.ts';
import { overlayNotes } from './overlays.ts';
import { page } from './page.ts';
import type { PictureGroup } from './pictures.ts';
import { provenance } from './provenance.ts';
import { quantizationSection } from './quantization.ts';
import { testTables } from './tables.ts';
import { thresholdOrigin } from './threshold.ts';
import { tiles } from './tiles.ts';
import { warningBox } from './warnings.ts';

/**
 * The whole page, of `trainer fit` and of `trainer evaluate`: a section is there when its figures are. Equal input gives
 * equal text.
 */
export function renderReport(
  metrics: EvaluationMetrics | Metrics,
  pictures: readonly PictureGroup[],
  defects: DefectPictures = new Map(),
): string {
  const fitted = 'training' in metrics ? metrics : null;
  const { bundle, evaluation } = metrics;
  const name = fitted === null ? bundle.name : fitted.recipe.name;
  return page({
    title: `Plumbline: ${name}`,
    kind: html`Plumbline ${fitted === null ? 'evaluation report: bundle' : 'training report: recipe'} <b>${name}</b>`,
    headline: headline(metrics),
    lead: html`<div class="answer ${usable(metrics)}">${conclude(metrics).map((sentence) => html`<p>${sentence}</p>`)}</div>`,
    body: html`${evaluation === null ? null : warningBox(evaluation)}
${interruption(fitted)}
${fitted === null ? null : overlayNotes(fitted)}
<section class="first" aria-label="Key figures">${tiles(metrics)}</section>
${gallery(metrics, pictures)}
${learning(fitted)}
${scores(metrics)}
${fitted?.tuning ? html`<section><h2>How the threshold was tuned</h2>${tuningChart(fitted.tuning)}</section>` : null}
${testSection(metrics)}
${fitted === null ? null : examplesSection(fitted)}
${fitted === null ? null : defectSection(fitted.defects, defects)}
${fitted === null ? null : modelSection(fitted)}
${fitted === null ? null : quantizationSection(fitted)}
${provenance(metrics)}`,
    footer: `${bundle.intendedUse} This page holds pictures from your folders; treat it as you treat them.`,
  });
}

function interruption(fitted: Metrics | null): Html | null {
  if (!fitted?.training.interrupted) return null;
  const { history, best } = fitted.training;
  return html`<p class="aside">Training was interrupted after ${history.length} of ${counted(fitted.recipe.epochs, 'epoch')}; the weights are those of epoch ${best.epoch}. Run the same command with --resume to go on.</p>`;
}

function learning(fitted: Metrics | null): Html | null {
  if (fitted === null) return null;
  return html`<section>
<h2>How it learned</h2>
<p>${taught(fitted)}</p>
${lossChart(fitted)}
${labelledChart(fitted)}
</section>`;
}

function taught({ recipe }: Metrics): string {
  return recipe.model.kind === 'voices'
    ? 'Each voice looks at one kind of feature, such as texture, and learns what those of good images have in common. How far an image is off, all voices taken together, is the score. Some voices learn by redrawing their features: that is the loss.'
    : 'The model is taught to redraw good images. What it cannot redraw, it has not seen: that difference is the score.';
}

function scores(metrics: EvaluationMetrics | Metrics): Html {
  const kept = promiseChart(metrics);
  return html`<section>
<h2>Scores and threshold</h2>
<p>${thresholdOrigin(metrics)}</p>
${scoreChart(metrics)}
${
  kept === null
    ? null
    : html`<h3>Is the promise kept?</h3>
<div class="charts">${kept}${promiseTable(metrics)}</div>`
}
</section>`;
}

function testSection(metrics: EvaluationMetrics): Html | null {
  const { evaluation } = metrics;
  const twoSided = isTwoSided(metrics);
  if (evaluation === null) return null;
  return html`<section>
<h2>The test, beside rules anybody could write</h2>
<p>A model has to beat these trivial rules before it shows anything. Their directions were fixed before any image was seen.</p>
${rankingChart(evaluation, twoSided)}
${operatingCharts(evaluation, twoSided)}
${testTables(evaluation, twoSided)}
</section>`;
}
