/** What an encoder buys the default recipe on each domain, and what it costs: tables with and without it. */
import type { Table } from '../bench.ts';
import { type Fitted, percent } from '../fit.ts';

export interface Pair {
  readonly name: string;
  /** AUROC that the default must reach with the encoder that docs/accuracy.md names. */
  readonly floor: number;
  readonly without: Fitted;
  readonly with: Fitted;
  /** AUROC of each voice alone with the encoder, by name. */
  readonly voices: ReadonlyMap<string, number>;
}

/** Both sides as measured one after the other in this run. */
export function compareEncoder(encoder: string, pairs: readonly Pair[]): Table[] {
  return [buys(encoder, pairs), costs(encoder, pairs)];
}

function buys(encoder: string, pairs: readonly Pair[]): Table {
  const brought = [...new Set(pairs.flatMap(({ voices }) => [...voices.keys()]))].filter((name) =>
    name.startsWith('encoder'),
  );
  const mean = (side: 'without' | 'with') =>
    (pairs.reduce((sum, pair) => sum + pair[side].evaluation.auroc.value, 0) / pairs.length).toFixed(3);
  return {
    title: `What the encoder ${encoder} buys: without / with`,
    columns: ['domain', 'AUROC', '95 % with', 'change', 'floor with', 'caught', 'false alarms', ...brought],
    rows: pairs.map(({ name, floor, without, with: seeing, voices }) => {
      const [before, after] = [without.evaluation, seeing.evaluation];
      const change = after.auroc.value - before.auroc.value;
      return [
        name,
        `${before.auroc.value.toFixed(3)} / ${after.auroc.value.toFixed(3)}${after.auroc.value < floor ? ' *' : ''}`,
        `${after.auroc.low.toFixed(3)} to ${after.auroc.high.toFixed(3)}`,
        `${change < 0 ? '' : '+'}${change.toFixed(3)}`,
        floor.toFixed(3),
        `${percent(before.detection.value)} / ${percent(after.detection.value)}`,
        `${percent(before.falseAlarms.value)} / ${percent(after.falseAlarms.value)}`,
        ...brought.map((voice) => voices.get(voice)?.toFixed(3) ?? ''),
      ];
    }),
    notes: [
      `Mean over ${pairs.length} domains: ${mean('without')} without, ${mean('with')} with. * below the floor. Interval: bootstrap, by patient where names tell one.`,
      'Caught and false alarms (5 % promised) at the thresholds of the two bundles. Last columns: voices of the encoder alone.',
    ],
    failed: pairs.some(({ floor, with: seeing }) => seeing.evaluation.auroc.value < floor),
  };
}

function costs(encoder: string, pairs: readonly Pair[]): Table {
  const both = (pair: Pair, of: (fitted: Fitted) => string) => `${of(pair.without)} / ${of(pair.with)}`;
  return {
    title: `What the encoder ${encoder} costs: without / with`,
    columns: ['domain', 'images', 'fit s', 'CPU s', 'ms an image', 'bundle MB'],
    rows: pairs.map((pair) => [
      pair.name,
      pair.without.metrics.data.train,
      both(pair, ({ totalSeconds }) => totalSeconds.toFixed(0)),
      both(pair, ({ processorSeconds }) => processorSeconds.toFixed(0)),
      both(pair, ({ metrics }) => metrics.model.compute.milliseconds.toFixed(1)),
      both(pair, ({ metrics }) => (metrics.bundle.bytes / 1e6).toFixed(1)),
    ]),
    notes: [
      'Fit: all of `trainer fit`, with evaluation. Milliseconds: median of the graph alone on one thread, decoding apart.',
    ],
  };
}
