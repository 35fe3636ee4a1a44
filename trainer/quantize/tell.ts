/** What a run says of its bundle in integers. */
import { type Console, percent } from '../console.ts';
import type { Both, Quantization } from './quantize.ts';

export function tellQuantization(console: Console, { refused, comparison }: Quantization): void {
  if (refused !== null) console.say(`quantisation REFUSED, the bundle stays in float32: ${refused}`);
  if (comparison === null) return;
  const { layers, float, noise, gate, milliseconds, graphBytes, bundleBytes, threshold } = comparison;
  const left = float.length === 0 ? '' : `, ${float.join(', ')} left in float32`;
  console.say(
    `${refused === null ? 'quantised' : '  tried'}: ${layers} of ${layers + float.length} convolutions in 8-bit integers${left}`,
  );
  const { compared, changed, low, high } = gate.verdicts;
  console.say(
    `  costs: ${changed} of ${compared} verdicts change, ${percent(changed / compared)} (${percent(low)} to ${percent(high)}); ${aurocTold(gate.auroc?.value)}; scores move by ${percent(noise)} of their spread; threshold ${change(threshold, (value) => value.toPrecision(4))}`,
  );
  console.say(
    `  gains: ${change(milliseconds, (value) => value.toFixed(2))} ms an image on one thread, graph ${change(graphBytes, kilobytes)} kB, bundle ${change(bundleBytes, kilobytes)} kB`,
  );
}

const change = ({ float, integer }: Both, format: (value: number) => string): string =>
  `${format(float)} -> ${format(integer)}`;

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(0);

const aurocTold = (difference: number | undefined): string =>
  difference === undefined
    ? 'AUROC not known, for want of labelled images of both kinds'
    : `AUROC ${difference < 0 ? '' : '+'}${difference.toFixed(3)}`;
