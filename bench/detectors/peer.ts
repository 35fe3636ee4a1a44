/** anomalib's PaDiM and PatchCore on the same images, beside the default recipe. */
import path from 'node:path';
import { runCommand } from '../../trainer/backend/command.ts';
import { KNOWN_ENCODERS, type KnownWheel } from '../../trainer/encoders/known.ts';
import { readDescription, storedFolder } from '../../trainer/encoders/store.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';
import { type BenchContext, MissingPrerequisite, type Table } from '../bench.ts';
import { DATA, type Fitted } from '../fit.ts';
import { pythonEnvironment, pythonScript } from '../python/environment.ts';

/** What they see through: their usual backbones come from servers that need not be in reach. */
const BACKBONE = 'efficientnet-lite2';

/** What `anomalib_peer.py` prints of each method. */
interface Judged {
  readonly good: readonly number[];
  readonly poor: readonly number[];
  /** Of the fit. */
  readonly seconds: number;
  /** Of one image, all threads. */
  readonly milliseconds: number;
  readonly masks?: { readonly pixels: number; readonly shown: number; readonly images: number };
}

export interface Peers {
  readonly name: string;
  readonly ours: Fitted;
  readonly padim: Judged;
  readonly patchcore: Judged;
}

/** @throws MissingPrerequisite when their backbone is not installed, or Python is missing. */
export async function openPeers(
  context: BenchContext,
): Promise<(name: string, ours: Fitted) => Promise<Peers>> {
  const stored = storedFolder(context.backends, BACKBONE);
  const description = await readDescription(stored);
  if (description === undefined)
    throw new MissingPrerequisite(`Install their backbone first: trainer encoder install ${BACKBONE}`);
  const { repeats } = KNOWN_ENCODERS.find((one): one is KnownWheel => one.name === BACKBONE)!;
  const python = await pythonEnvironment(context, 'anomalib');
  return async (name, ours) => {
    context.report(`anomalib on ${name}\n`);
    const args = [path.join(stored, description.file), repeats.join(), path.join(DATA, name)];
    const output = await runCommand(python, [pythonScript('anomalib_peer.py'), ...args]);
    return {
      name,
      ours,
      ...(JSON.parse(output.trim().split('\n').at(-1)!) as Pick<Peers, 'padim' | 'patchcore'>),
    };
  };
}

export function comparePeers(all: readonly Peers[]): Table {
  const of = ({ good, poor }: Judged) => auroc(good, poor);
  const mean = (values: readonly number[]) =>
    (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(3);
  const masked = all.flatMap(({ name, padim, patchcore }) =>
    padim.masks === undefined || patchcore.masks === undefined
      ? []
      : [
          `Real flaws of ${name} (${padim.masks.images} with masks): pixel AUROC PaDiM ${padim.masks.pixels.toFixed(3)}, PatchCore ${patchcore.masks.pixels.toFixed(3)}; largest value in the mask, 8 pixels more, of all: ${padim.masks.shown} and ${patchcore.masks.shown}. Ours: npm run bench -- maps.`,
        ],
  );
  return {
    title: 'The default beside anomalib',
    columns: ['domain', 'auto', 'PaDiM', 'PatchCore', 'fit s', 'ms an image'],
    rows: all.map(({ name, ours, padim, patchcore }) => [
      name,
      ours.evaluation.auroc.value.toFixed(3),
      of(padim).toFixed(3),
      of(patchcore).toFixed(3),
      [ours.totalSeconds, padim.seconds, patchcore.seconds].map((value) => value.toFixed(0)).join(' / '),
      [ours.metrics.model.compute.milliseconds, padim.milliseconds, patchcore.milliseconds]
        .map((value) => value.toFixed(1))
        .join(' / '),
    ]),
    notes: [
      `Means: auto ${mean(all.map(({ ours }) => ours.evaluation.auroc.value))}, PaDiM ${mean(all.map(({ padim }) => of(padim)))}, PatchCore ${mean(all.map(({ patchcore }) => of(patchcore)))}. AUROC of the same good and poor test images.`,
      `PaDiM (100 random features of stages 2, 3 and 5) and PatchCore (stages 3 and 5, 100 training images at most, coreset of 0.5 %) see through ${BACKBONE}, 224 x 224, not their usual backbones. Their time: two threads, PyTorch; ours: one thread.`,
      ...masked,
    ],
  };
}
