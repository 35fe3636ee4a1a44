/** How the figures came about: everything needed to get them again. */
import { duration } from '../console.ts';
import type { RefusedImage } from '../data/load.ts';
import { describeBits } from '../data/stored.ts';
import type { EvaluationMetrics, Metrics } from '../metrics.ts';
import { type Html, html } from './html.ts';
import { counted, short, size } from './numbers.ts';

/** Refused files named in the page. */
const MOST_FILES = 50;

export function provenance(metrics: EvaluationMetrics | Metrics): Html {
  const { bundle, evaluation, seed } = metrics;
  const made = 'training' in metrics;
  return html`<section>
<h2>How it was made</h2>
<p>${
    made
      ? 'The same command on the same images, with the same backend, gives a bundle with the same digest.'
      : 'The same command on the same images and the same bundle gives the same figures.'
  }</p>
<pre>${metrics.command}</pre>
${made && metrics.recipe.leavesOut !== undefined ? html`<p><b>What this setting leaves out.</b> ${metrics.recipe.leavesOut}</p>` : null}
<dl class="facts">
${fact('Bundle', html`${bundle.name}, ${size(bundle.bytes)}, <code>${bundle.digest}</code>`)}
${fact('It holds', bundle.holds)}
${bundle.encoder === null ? null : fact('Encoder', `${bundle.encoder.name}, from ${bundle.encoder.source}; licence ${bundle.encoder.licence}`)}
${made ? trainingFacts(metrics) : null}
${evaluation === null ? null : fact('Labelled images', `${counted(evaluation.images.length, 'image')} scored of ${evaluation.sources.join(', ')}; ${evaluation.refused.length} refused`)}
${evaluation === null || evaluation.groups === null ? null : fact('Groups', `${counted(evaluation.groups, 'group')}: intervals are drawn again by them`)}
${fact('Seed', String(seed))}
${fact('Versions', `trainer ${metrics.trainer}, Node ${metrics.node}`)}
</dl>
${made ? html`<details><summary>Recipe, as resolved</summary><pre>${JSON.stringify(metrics.recipe, null, 2)}</pre></details>` : html`<details><summary>What the bundle does to an image</summary><pre>${JSON.stringify({ input: bundle.input, residual: bundle.residual, threshold: metrics.calibration.threshold }, null, 2)}</pre></details>`}
${made ? refusedFiles('training', metrics.data.refusedFiles) : null}
${refusedFiles('test', evaluation?.refused ?? [])}
</section>`;
}

const fact = (name: string, value: string | Html): Html => html`<dt>${name}</dt><dd>${value}</dd>`;

function trainingFacts({ data, backend, training, recipe }: Metrics): Html {
  const { history, best, resumedFrom, interrupted } = training;
  const epochs = `${history.length} of ${counted(recipe.epochs, 'epoch')}${interrupted ? ', interrupted' : ''}${resumedFrom > 0 ? `, resumed after epoch ${resumedFrom}` : ''}`;
  return html`${[
    fact(
      'Images',
      `${data.found} found in ${data.folder}; ${data.refused} refused, ${data.duplicates} left out as copies`,
    ),
    fact(
      'Split',
      recipe.split.folds === undefined
        ? `${data.train} train, ${data.validation} choose the epoch, ${data.calibration} set the threshold (split.json names them)`
        : `${data.train} train, and set the threshold as scored in ${recipe.split.folds} folds by models that did not see them`,
    ),
    data.sizes === null
      ? null
      : fact(
          'Sizes as stored',
          `${data.sizes.smallest} (smallest), ${data.sizes.median} (median), ${data.sizes.largest} (largest)`,
        ),
    data.significantBits === null ? null : fact('Bits as stored', describeBits(data.significantBits)),
    fact('Data digest', html`<code>${data.digest}</code>`),
    fact(
      'Training',
      `${epochs}; ${duration(training.seconds)}, ${short(training.imagesPerSecond)} images/s; weights of epoch ${best.epoch}`,
    ),
    fact(
      'Backend',
      `wanted ${backend.wanted}, got ${backend.got} (${backend.library} on the ${backend.device}), because ${backend.why}`,
    ),
  ]}`;
}

function refusedFiles(side: string, files: readonly RefusedImage[]): Html | null {
  if (files.length === 0) return null;
  return html`<details><summary>${side === 'test' ? 'Test files' : 'Files'} refused: ${files.length}</summary>
<table><caption>Files that are no usable images${files.length > MOST_FILES ? `; the first ${MOST_FILES}, all in metrics.json` : ''}</caption>
<thead><tr><th scope="col">file</th><th scope="col">why</th></tr></thead>
<tbody>${files
    .slice(0, MOST_FILES)
    .map(
      ({ name, reason, message }) =>
        html`<tr><th scope="row">${name}</th><td>${reason}<small>${message}</small></td></tr>`,
    )}</tbody></table></details>`;
}
