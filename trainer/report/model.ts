/** The model: what it costs, and what it is made of. */
import { duration } from '../console.ts';
import type { Metrics } from '../metrics.ts';
import { type Html, html } from './html.ts';
import { counted, large, short, size } from './numbers.ts';
import { row, table } from './tables.ts';

export function modelSection({ model, training, bundle, recipe, backend }: Metrics): Html {
  const { compute, parameters, layers } = model;
  const { width, height, channels, frames } = recipe.input;
  const shape = `${width} x ${height}, ${channels === 1 ? 'grey' : 'RGB'}${frames > 1 ? `, ${frames} frames` : ''}`;
  return html`<section>
<h2>The model</h2>
<div class="columns">
${table(
  'What it costs',
  ['measured', 'figure'],
  [
    row('Parameters', null, [parameters.toLocaleString('en')]),
    row('Multiply-adds', 'for one image, of convolutions and matrix products', [large(compute.multiplyAdds)]),
    row('Time of one image', 'median of the graph alone, one thread', [`${short(compute.milliseconds)} ms`]),
    row('Training', `${counted(training.history.length, 'epoch')} on ${backend.got}`, [
      [duration(training.seconds), `${short(training.imagesPerSecond)} images/s`],
    ]),
    row('Size of the bundle', 'everything a device needs', [size(bundle.bytes)]),
  ],
)}
<dl class="facts">
<dt>Kind</dt><dd>${recipe.model.kind}</dd>
<dt>Input</dt><dd>${shape}</dd>
<dt>Score</dt><dd>${recipe.model.kind === 'voices' ? 'robust z of the voices, summed up' : recipe.residual}</dd>
${recipe.loss === undefined || recipe.loss === recipe.residual ? null : html`<dt>Loss</dt><dd>${recipe.loss}</dd>`}
<dt>Optimizer</dt><dd>${recipe.optimizer.kind}, learning rate ${recipe.optimizer.learningRate}, batches of ${recipe.batchSize}</dd>
</dl></div>
<details><summary>Architecture: ${counted(layers.length, 'layer')}, ${counted(parameters, 'parameter')}</summary>
<table class="layers"><caption>${recipe.model.kind === 'voices' ? 'The voices, each with its detector and the number of its features' : 'The model, from the image to its reconstruction'}</caption>
<thead><tr><th scope="col">layer</th><th scope="col">kind</th><th scope="col" class="number">output</th><th scope="col" class="number">parameters</th></tr></thead>
<tbody>${layers.map(
    ({ name, kind, shape, parameters }) =>
      html`<tr><th scope="row">${name}</th><td>${kind}</td><td class="number">${shape.join(' x ')}</td><td class="number">${parameters.toLocaleString('en')}</td></tr>`,
  )}</tbody></table></details>
</section>`;
}
