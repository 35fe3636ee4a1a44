/** Files made to break a decoder: none may end the agent, none that a decoder rejects may pass. */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { makeTestBundle } from '../test/support/bundle.ts';
import type { Bench, Table } from './bench.ts';
import { type HostileOutcome, LIMITS, runHostile } from './hostile/run.ts';

export const hostile: Bench = {
  name: 'hostile',
  title: 'mutated images, bombs, deep recursion, huge headers, polyglots: crashes, wrong passes, memory',
  counts: { seed: 1, files: 20_000 },
  async run({ counts, report }) {
    const { seed = 1, files = 0 } = counts;
    const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-hostile-'));
    try {
      const load = loadavg()[0]!.toFixed(1);
      const bundle = (await makeTestBundle(folder)).path;
      const outcome = await runHostile({ seed, files, folder, bundle, report });
      return [table(outcome, seed, load)];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** The main process may stay so much above its level after a tenth of the files: allocators keep some. */
const GROWTH = 1.25;

function table(outcome: HostileOutcome, seed: number, load: string): Table {
  const { main, scorer, reasons, words } = outcome;
  const wrongPasses = outcome.wrong.filter((one) => one.includes(': pass,'));
  const grown = main[2] > GROWTH * main[0];
  const mebibytes = (values: readonly number[]) => values.map((value) => value.toFixed(0)).join(' / ');
  const broken = [...wrongPasses, ...outcome.overLimits, ...(outcome.crash === null ? [] : [outcome.crash])];
  return {
    title: `${outcome.files} hostile files, one agent`,
    columns: ['', ''],
    rows: [
      ['files', outcome.files],
      ['verdicts', outcome.verdicts],
      ['verdicts on further frames of a file', outcome.frames],
      ['more than one verdict on a file or frame', outcome.surplus],
      ['ends of the main process', outcome.crash === null ? 0 : 1],
      ['`pass` though the decoder rejects the file', wrongPasses.length],
      ['`review` though the decoder rejects the file', outcome.wrong.length - wrongPasses.length],
      ['scored beyond a limit', outcome.overLimits.length],
      ['pass, review, unscorable', `${words.pass ?? 0}, ${words.review ?? 0}, ${words.unscorable ?? 0}`],
      ['main process, MiB: after a tenth / at most / at the end', mebibytes(main)],
      ['scoring process, MiB', mebibytes(scorer)],
      ['seconds', outcome.seconds],
    ],
    notes: [
      `Unscorable: ${Object.entries(reasons)
        .filter(([reason]) => !['below-threshold', 'above-threshold'].includes(reason))
        .map(([reason, n]) => `${reason} ${n}`)
        .join(', ')}.`,
      `Limits: ${LIMITS.pixels} pixels, ${LIMITS.bytes} bytes, ${LIMITS.scoring} s. Nine in ten files are damaged JPEG, PNG, TIFF, WebP, GIF, DICOM (drawn ones, and real ones where they lie beside the repository); one in ten is made: bombs, circles, recursion, huge headers, polyglots.`,
      "The decoder: sharp decodes every pixel in full size; for DICOM it is the agent's own.",
      `Load average ${load} at the start. Seed ${seed}.`,
      ...broken.slice(0, 20),
    ],
    failed: broken.length > 0 || outcome.verdicts < outcome.files || outcome.surplus > 0 || grown,
  };
}
