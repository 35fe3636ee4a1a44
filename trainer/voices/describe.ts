/** Looks at all images once: the features of every voice, which all later fitting starts from. */
import * as tf from '@tensorflow/tfjs-core';
import type { DetectorOptions } from '../detectors/fit.ts';
import type { OpenedNetwork } from '../encoders/open.ts';
import type { Picture } from '../features.ts';
import { randomFor, shuffled } from '../random.ts';
import { featuresOf } from './composed.ts';
import { logEnergyCells } from './energy.ts';
import { nameOfVoice, type VoicesModel, voicesOf } from './names.ts';
import { type RunOptions, runTraced } from './run-traced.ts';
import { makeViews, type Views } from './views.ts';

export interface DescribedVoice {
  readonly name: string;
  readonly detector: DetectorOptions;
  readonly describe: (views: Views) => tf.Tensor2D;
  /** See `VoiceFeatures`. */
  readonly places?: ((features: number) => number[][]) | undefined;
  /** Of each image, in their order. */
  readonly features: readonly Float32Array[];
}

export interface DescribedImages {
  /** Whether the images have colour, so that views have it. */
  readonly colour: boolean;
  readonly voices: readonly DescribedVoice[];
  /** `logEnergyCells` of some of the images, by index. */
  readonly cells: ReadonlyMap<number, Float32Array>;
}

/** Images by which levels of noise and colour are measured, and those that the map is fitted to. */
const MEASURED = 150;
const MAPPED = 500;

/** Mean difference between the largest and the smallest channel, 0 to 1, above which images have colour. */
const COLOURFUL = 0.02;

/** @throws InterruptedError when it is stopped. */
export async function describeImages(
  { model, network }: { readonly model: VoicesModel; readonly network: OpenedNetwork | null },
  pictures: readonly Picture[],
  seed: number,
  run: RunOptions,
): Promise<DescribedImages> {
  const silent = { ...run, onImage: () => {} };
  const composed = voicesOf(model).map((voice) => ({
    ...{ name: nameOfVoice(voice), detector: voice.detector },
    ...featuresOf(voice, network),
  }));
  const measuring = shuffled(pictures, randomFor(seed, 'measure')).slice(0, MEASURED);
  const measured = await measure(composed, measuring, silent);
  const colour = measured.get('chroma')![0]! > COLOURFUL;
  const voices = composed.map(({ name, detector, places, describe }) => ({
    ...{ name, detector, places },
    describe: (views: Views) => describe(views, measured.get(name) ?? []),
  }));
  const rows = await runTraced(
    (pixels) => {
      const views = makeViews(pixels, colour);
      return Object.fromEntries(voices.map(({ name, describe }) => [name, describe(views)]));
    },
    pictures,
    run,
  );
  const mapped = shuffled([...pictures.keys()], randomFor(seed, 'map')).slice(0, MAPPED);
  const { cells } = await runTraced(
    (pixels) => ({ cells: logEnergyCells(makeViews(pixels, colour)) }),
    mapped.map((i) => pictures[i]!),
    silent,
  );
  return {
    colour,
    voices: voices.map((voice) => ({ ...voice, features: rows[voice.name]! })),
    cells: new Map(mapped.map((image, i) => [image, cells![i]!])),
  };
}

/** What `describe` of each voice is given, by its name, and `chroma`: means over the pictures. */
async function measure(
  voices: readonly (ReturnType<typeof featuresOf> & { readonly name: string })[],
  pictures: readonly Picture[],
  run: RunOptions,
): Promise<ReadonlyMap<string, number[]>> {
  const results = await runTraced(
    (pixels) => {
      const views = makeViews(pixels, true);
      const { image } = views;
      const measured = voices.flatMap(({ name, measure }) =>
        measure === undefined ? [] : [[name, measure(views)] as const],
      );
      const range = tf.div(tf.mean(tf.sub(tf.max(image, 1), tf.min(image, 1)), [1, 2]), 255);
      return { ...Object.fromEntries(measured), chroma: tf.expandDims(range, 1) };
    },
    pictures,
    run,
  );
  return new Map(Object.entries(results).map(([name, rows]) => [name, meanOfRows(rows)]));
}

function meanOfRows(rows: readonly Float32Array[]): number[] {
  return Array.from(
    rows[0] ?? [],
    (_, column) => rows.reduce((sum, row) => sum + row[column]!, 0) / rows.length,
  );
}
