/** The report: one HTML file that says what came out, shows it, and tells how to repeat it. No script, no network. */
import { percent } from '../console.ts';
import type { Metrics } from '../metrics.ts';
import { lossChart, rankingChart, scoreChart } from './charts.ts';
import { conclude, usable } from './conclusion.ts';
import { type Html, html, raw } from './html.ts';
import type { Picture, PictureGroup } from './pictures.ts';
import { provenance } from './provenance.ts';
import { STYLE } from './style.ts';
import { testTables } from './tables.ts';

/** The whole page. Equal input gives equal text. */
export function renderReport(metrics: Metrics, pictures: readonly PictureGroup[]): string {
  const [answer, ...rest] = conclude(metrics);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Plumbline: ${metrics.recipe.name}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<header>
<p class="kind">${MARK}<span>Plumbline training report: recipe <b>${metrics.recipe.name}</b></span></p>
<h1>${headline(metrics)}</h1>
<div class="answer ${usable(metrics)}">${[answer!, ...rest].map((sentence) => html`<p>${sentence}</p>`)}</div>
${tiles(metrics)}
</header>
<main>
${pictureSection(metrics, pictures)}
${scoreSection(metrics)}
${testSection(metrics)}
<section>
<h2>How it learned</h2>
<p>The model is taught to redraw good images. What it cannot redraw, it has not seen: that difference is the score.</p>
${lossChart(metrics)}
</section>
${provenance(metrics)}
</main>
<footer><p>${metrics.recipe.intendedUse} This page holds pictures from your folders; treat it as you treat them.</p></footer>
</body>
</html>
`;
  return page.html;
}

/** A plumb line. */
const MARK = raw(
  '<svg width="18" height="30" viewBox="0 0 18 30" aria-hidden="true"><path d="M3 1h12M9 1v16" stroke="currentColor" stroke-width="1.6" fill="none" stroke-linecap="round"/><path d="M4.5 17h9L9 29z" fill="currentColor"/></svg>',
);

function headline(metrics: Metrics): string {
  const { evaluation } = metrics;
  if (!evaluation?.auroc) return 'Trained and calibrated, not yet tested on poor captures';
  if (usable(metrics) === 'yes') return 'It tells poor captures from good ones better than chance';
  if (usable(metrics) === 'weak') return 'It beats chance, but a trivial rule does as well or better';
  return evaluation.auroc.high < 0.5
    ? 'It ranks poor captures as the more normal ones'
    : 'It does not tell poor captures from good ones';
}

function tiles({ evaluation, calibration, training }: Metrics): Html {
  const { falseAlarms, images, threshold } = calibration;
  const tile = (title: string, value: string, note: string) =>
    html`<div><dt>${title}</dt><dd>${value}</dd><dd>${note}</dd></div>`;
  const common = tile(
    'Threshold',
    threshold.upper.toPrecision(3),
    falseAlarms === null
      ? `rule ${threshold.rule.rule}, from ${images.length} good images`
      : `at most ${percent(falseAlarms.promised)} false alarms promised, from ${images.length} good images`,
  );
  if (!evaluation?.auroc) {
    const { best, history } = training;
    return html`<dl class="tiles">${common}${
      falseAlarms === null
        ? null
        : tile(
            'False alarms that come true',
            `${percent(falseAlarms.low).replace(' %', '')} to ${percent(falseAlarms.high)}`,
            `in 9 of 10 calibrations with ${images.length} images`,
          )
    }${tile('Validation loss', best.validationLoss.toPrecision(3), `best epoch: ${best.epoch} of ${history.length}`)}</dl>`;
  }
  const { auroc, detection, falseAlarms: alarms } = evaluation;
  return html`<dl class="tiles">${[
    tile(
      'Ranks poor above good (AUROC)',
      auroc.value.toFixed(2),
      `95 % interval ${auroc.low.toFixed(2)} to ${auroc.high.toFixed(2)}; chance is 0.5`,
    ),
    tile(
      'Poor captures called for review',
      `${detection.hits} of ${detection.count}`,
      `95 % interval ${percent(detection.low)} to ${percent(detection.high)}`,
    ),
    tile(
      'Good captures called by mistake',
      `${alarms.hits} of ${alarms.count}`,
      `95 % interval ${percent(alarms.low)} to ${percent(alarms.high)}`,
    ),
    common,
  ]}</dl>`;
}

function pictureSection({ bundle, recipe }: Metrics, groups: readonly PictureGroup[]): Html {
  return html`<section>
<h2>What it sees</h2>
<p>Each strip shows the capture as the model sees it (${recipe.input.width} x ${recipe.input.height} pixels), what the
model redraws, and where the two differ.</p>
<p class="scale"><span>difference</span> <span>0</span><i></i><span>${bundle.mapAlarm.toPrecision(2)} and more</span></p>
<p class="note">The colours mean the same in every picture: the scale was fixed at calibration, so a good image stays dark. The share p says how many good images would score at least as high.</p>
${groups.map(({ title, pictures }) => html`<h3>${title}</h3><div class="cards">${pictures.map(card)}</div>`)}
</section>`;
}

function card({ name, score, p, verdict, original, reconstruction, map }: Picture): Html {
  return html`<figure class="card"><div class="strip">
<img src="${original}" alt="${name} as the model sees it"><img src="${reconstruction}" alt="${name} as the model redraws it"><img src="${map}" alt="Where the two differ; score ${score.toPrecision(3)}, ${verdict}">
</div><figcaption><span>score ${score.toPrecision(3)}</span><span>p = ${p.toPrecision(2)}</span><span class="verdict ${verdict}">${verdict}</span><span class="file" title="${name}">${name}</span></figcaption></figure>`;
}

function scoreSection(metrics: Metrics): Html {
  const { images } = metrics.calibration;
  return html`<section>
<h2>Scores and threshold</h2>
<p>The threshold comes from ${images.length} good images that training never saw, scored by the bundle with the device's own code.</p>
${scoreChart(metrics)}
</section>`;
}

function testSection(metrics: Metrics): Html | null {
  const { evaluation } = metrics;
  if (evaluation === null) return null;
  return html`<section>
<h2>The test, beside rules anybody could write</h2>
<p>A model has to beat these trivial rules before it shows anything. Their directions were fixed before any image was seen.</p>
${rankingChart(metrics)}
${testTables(evaluation)}
</section>`;
}
