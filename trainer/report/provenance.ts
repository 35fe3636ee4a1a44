/** How the bundle was made: everything needed to make it again. */
import { duration } from '../console.ts';
import type { Metrics } from '../metrics.ts';
import { type Html, html } from './html.ts';

export function provenance(metrics: Metrics): Html {
  const { data, backend, training, model, bundle, recipe, seed } = metrics;
  const fact = (name: string, value: string | Html) => html`<dt>${name}</dt><dd>${value}</dd>`;
  const { history, best, resumedFrom, interrupted } = training;
  return html`<section>
<h2>How it was made</h2>
<p>The same command on the same images, with the same backend, gives a bundle with the same digest.</p>
<pre>${metrics.command}</pre>
<dl class="facts">
${fact('Bundle', html`bundle.onnx, ${megabytes(bundle.bytes)}, <code>${bundle.digest}</code>`)}
${fact('Images', `${data.found} found in ${data.folder}; ${data.refused} refused, ${data.duplicates} left out as copies`)}
${fact('Split', `${data.train} train, ${data.validation} choose the epoch, ${data.calibration} set the threshold (split.json names them)`)}
${data.sizes === null ? null : fact('Sizes as stored', `${data.sizes.smallest} (smallest), ${data.sizes.median} (median), ${data.sizes.largest} (largest)`)}
${fact('Data digest', html`<code>${data.digest}</code>`)}
${fact('Seed', String(seed))}
${fact('Training', `${history.length} of ${recipe.epochs} epochs${interrupted ? ', interrupted' : ''}${resumedFrom > 0 ? `, resumed after epoch ${resumedFrom}` : ''}; ${duration(training.seconds)}, ${training.imagesPerSecond.toFixed(1)} images/s; weights of epoch ${best.epoch}`)}
${fact('Backend', `wanted ${backend.wanted}, got ${backend.got} (${backend.library} on the ${backend.device}), because ${backend.why}`)}
${fact('Versions', `trainer ${metrics.trainer}, Node ${metrics.node}`)}
</dl>
<details><summary>Layers: ${model.parameters.toLocaleString('en')} parameters</summary>
<table><caption>The model, from the image to its reconstruction</caption>
<thead><tr><th scope="col">layer</th><th scope="col">kind</th><th scope="col" class="number">output</th><th scope="col" class="number">parameters</th></tr></thead>
<tbody>${model.layers.map(
    ({ name, kind, shape, parameters }) =>
      html`<tr><th scope="row">${name}</th><td>${kind}</td><td class="number">${shape.join(' x ')}</td><td class="number">${parameters.toLocaleString('en')}</td></tr>`,
  )}</tbody></table></details>
<details><summary>Recipe, as resolved</summary><pre>${JSON.stringify(recipe, null, 2)}</pre></details>
${refusedFiles(metrics)}
</section>`;
}

function refusedFiles({ data }: Metrics): Html | null {
  if (data.refusedFiles.length === 0) return null;
  return html`<details><summary>Files refused: ${data.refusedFiles.length}</summary>
<table><caption>Files in the folder that are no usable images${data.refusedFiles.length > 50 ? '; the first 50, all in metrics.json' : ''}</caption>
<thead><tr><th scope="col">file</th><th scope="col">why</th></tr></thead>
<tbody>${data.refusedFiles
    .slice(0, 50)
    .map(
      ({ name, reason, message }) =>
        html`<tr><th scope="row">${name}</th><td>${reason}<small>${message}</small></td></tr>`,
    )}</tbody></table></details>`;
}

const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
