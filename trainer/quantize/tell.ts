/** What a run says of its quantised bundle. */
import type { Console } from '../console.ts';
import { range, share, short } from '../report/numbers.ts';
import { comparedOn } from './gate.ts';
import type { Both, Quantization } from './types.ts';

export function tellQuantization(console: Console, { refused, comparison }: Quantization): void {
  if (refused !== null) console.say(`quantisation REFUSED, the bundle stays in float32: ${refused}`);
  if (comparison === null) return;
  const { layers, float, noise, gate, milliseconds, graphBytes, bundleBytes, threshold } = comparison;
  const left = float.length === 0 ? '' : `, ${float.join(', ')} left in float32`;
  console.say(
    `${refused === null ? 'quantised' : '  tried'}: ${layers} of ${layers + float.length} convolutions in 8-bit integers${left}`,
  );
  const { compared, changed } = gate.verdicts;
  console.say(
    `  costs: ${changed} of ${compared} verdicts change, ${share(changed / compared)} (${range(gate.verdicts)}), ${comparedOn(gate.verdicts)}; ${aurocTold(gate.auroc?.value)}; scores move by ${share(noise)} of their spread; threshold ${change(threshold, (value) => value.toPrecision(4))}`,
  );
  console.say(
    `  gains: ${change(milliseconds, short)} ms an image on one thread (${ratio(milliseconds)} times as fast); graph ${change(graphBytes, kilobytes)} kB (${ratio(graphBytes)} times smaller), bundle ${change(bundleBytes, kilobytes)} kB`,
  );
  if (milliseconds.quantized >= milliseconds.float)
    console.say('  it is no faster: where its size does not matter, leave --quantize out');
}

const change = ({ float, quantized }: Both, format: (value: number) => string): string =>
  `${format(float)} -> ${format(quantized)}`;

const ratio = ({ float, quantized }: Both): string => (float / quantized).toFixed(1);

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(0);

const aurocTold = (difference: number | undefined): string =>
  difference === undefined
    ? 'AUROC not known, for want of labelled images of both kinds'
    : `AUROC ${difference < 0 ? '' : '+'}${difference.toFixed(3)}`;
