/** `agent inspect`: a bundle in words. */

import { readBundle } from './inspect/bundle.ts';
import { proveGolden } from './inspect/golden.ts';
import { whatItHolds } from './inspect/holdings.ts';
import { regionAsText } from './inspect/mask.ts';
import { type ExecutionProvider, openScorer } from './inspect/score.ts';

/** Describes the bundle after proving its golden samples on `executionProvider`. */
export async function describeBundle(
  file: string,
  options: { readonly json: boolean; readonly executionProvider: ExecutionProvider },
): Promise<string> {
  const bundle = await readBundle(file);
  const scorer = await openScorer(bundle, { executionProvider: options.executionProvider, threads: 1 });
  const difference = await proveGolden(bundle, scorer);
  await scorer.close();
  const m = bundle.manifest;
  if (options.json) return JSON.stringify(m, null, 2);
  const { rule, ...parameters } = m.threshold.rule;
  const { data, seed, epochs, bestEpoch, validationLoss, backend, trainer, quantization } = m.provenance;
  const rows: [string, string][] = [
    ['bundle', `${m.name} ${m.version}, ${(bundle.model.length / 2 ** 20).toFixed(1)} MiB`],
    ['digest', m.digest],
    ['use', m.intendedUse],
    [
      'input',
      `${m.preprocessing.width} x ${m.preprocessing.height}, ${m.preprocessing.channels === 3 ? 'colour' : 'grey'}, ${m.preprocessing.fit}, ${m.preprocessing.kernel}`,
    ],
    ...(m.preprocessing.mask === undefined
      ? []
      : [['blanked', m.preprocessing.mask.map(regionAsText).join('  ')] as [string, string]]),
    ['score', m.score === 'mean' ? `mean ${m.residual} reconstruction error` : 'sum over voices'],
    ...(['voices', 'statistics'] as const).flatMap((what): [string, string][] => {
      const named = m[what];
      return named === undefined ? [] : [[what, named.map(({ name }) => name).join(', ')]];
    }),
    ...(quantization === undefined
      ? []
      : [
          [
            'quantised',
            `${quantization.layers} of ${quantization.layers + quantization.float.length} convolutions in ${quantization.kind}`,
          ] as [string, string],
        ]),
    [
      'threshold',
      `${m.threshold.upper.toPrecision(6)} (${rule} ${Object.entries(parameters)
        .map(([k, v]) => `${k} ${v}`)
        .join(', ')}), revision ${m.threshold.revision}`,
    ],
    [
      'calibration',
      `${m.calibration.scores.length} good images, scores ${m.calibration.scores[0]!.toPrecision(4)} to ${m.calibration.scores.at(-1)!.toPrecision(4)}`,
    ],
    [
      'proof',
      `${m.golden.samples.length} golden samples on ${options.executionProvider}: largest relative difference ${difference.toExponential(1)}, allowed ${m.golden.tolerance}`,
    ],
    ['holds', whatItHolds(m)],
    [
      'made from',
      `${data.train} training, ${data.validation} validation, ${data.calibration} calibration images (${data.refused} refused, ${data.duplicates} duplicates)`,
    ],
    [
      'made by',
      `trainer ${trainer} on ${backend}, seed ${seed}, epoch ${bestEpoch} of ${epochs}, validation loss ${validationLoss.toPrecision(4)}`,
    ],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}`).join('\n');
}
