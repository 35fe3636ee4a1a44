/** What a recalibration says. */
import { doubtOf } from '../../agent/inspect/recalibrate.ts';
import { type Console, percent } from '../console.ts';
import { tellRefused } from '../data/refused.ts';
import type { Recalibrated } from './recalibrate.ts';
import type { ScoredGood } from './score-good.ts';

export function tellScored(
  console: Console,
  { images, refused, copies, known }: ScoredGood,
  groups: number | null,
): void {
  const left = [
    `${refused.length} refused`,
    ...(copies > 0 ? [`${copies} left out as copies`] : []),
    ...(known > 0 ? [`${known} left out as the model was made from them`] : []),
  ];
  const patients = groups === null ? '' : ` of ${groups} groups`;
  console.say(`images: ${images.length} good ones${patients}; ${left.join(', ')}`);
  tellRefused(console, refused, '--json names them all');
  const highest = images.toSorted((a, b) => b.score - a.score).slice(0, LOOK);
  if (highest.length > 0)
    console.say(
      `for a look, as they weigh most: ${highest.map(({ name, score }) => `${name} (score ${score.toPrecision(4)})`).join(', ')}`,
    );
}

/** So many of the images with the highest scores are named: poor ones among the good would be there. */
const LOOK = 3;

export function tellRecalibrated(console: Console, result: Recalibrated): void {
  tellShifts(console, result);
  const { images, threshold, called, groups } = result;
  const say = ({ lower, upper }: typeof threshold.now) =>
    `${upper.toPrecision(6)}${lower === null ? '' : ` and ${lower.toPrecision(6)}`}`;
  const rule = Object.entries(threshold.now.rule).map(([key, value]) =>
    key === 'rule' ? value : `${key} ${value}`,
  );
  console.say(
    `old threshold: ${say(threshold.before)}, calls ${called.before} of the ${images} new good images for review (${percent(called.before / images)})`,
  );
  const doubt = doubtOf(called.before, images);
  if (doubt !== null) console.say(`warning: ${doubt}`);
  console.say(`new threshold: ${say(threshold.now)} (${rule.join(', ')}), from n = ${images} good images`);
  tellPromise(console, result, groups === null ? `n = ${images}` : `${groups} groups`);
  console.say('');
  console.say(`bundle: ${result.bundle.file} (${result.bundle.digest})`);
}

function tellShifts(console: Console, { shifts, images }: Recalibrated): void {
  if (shifts.length === 0) {
    console.say(
      images < 10
        ? 'shift: not looked for with fewer than 10 images'
        : 'shift: the new images differ from those of the old calibration in nothing that could be shown',
    );
    return;
  }
  console.say('shift: the new images are not like those of the old calibration. Their median is');
  for (const { sentence, p } of shifts)
    console.say(`  ${sentence} (p ${p < 1e-9 ? '< 1e-9' : p.toPrecision(1)})`);
}

function tellPromise(console: Console, { falseAlarms, called, images }: Recalibrated, basis: string): void {
  if (falseAlarms === null)
    console.say(
      `of ${images} good images it calls ${called.now} for review; this rule promises no false-alarm rate`,
    );
  else
    console.say(
      `false alarms: at most ${percent(falseAlarms.promised)} promised; in 9 of 10 calibrations with ${basis} the realised rate lies between ${percent(falseAlarms.low)} and ${percent(falseAlarms.high)}`,
    );
}
