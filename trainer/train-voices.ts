/** From split images to the graph of voices: features, detectors, export. */
import type { Recipe } from '../config/recipe.ts';
import * as announce from './announce.ts';
import type { EpochRecord } from './checkpoint.ts';
import { measureCompute } from './compute.ts';
import type { Console } from './console.ts';
import { timedBar } from './evaluation/progress.ts';
import type { Metrics } from './metrics.ts';
import type { LayerSummary } from './models/summary.ts';
import type { Trained, TrainOptions } from './train.ts';
import { exportVoices } from './voices/export.ts';
import { type FittedVoices, fitVoices } from './voices/fit.ts';
import type { VoicesModel } from './voices/names.ts';
import { STATISTICS } from './voices/statistics.ts';
import { watchTraining } from './watch-training.ts';

/** @throws InterruptedError when it is stopped before there is anything to keep. */
export async function trainVoices(options: TrainOptions, console: Console): Promise<Trained> {
  const { seed, split, threads, stop } = options;
  const recipe = options.recipe as Recipe & { readonly model: VoicesModel };
  const images = split.train.length + split.validation.length;
  const bar = timedBar(console, 'looking at images', images);
  const watch = watchTraining(console, recipe.epochs, IMAGES_PER_EPOCH(recipe));
  const history: EpochRecord[] = [];
  const fitted = await fitVoices({
    ...{ recipe, seed, train: split.train, validation: split.validation },
    run: { threads, signal: stop, onImage: bar.onImage },
    onFeatures: () => {
      bar.end();
      watch.begin();
    },
    onBatch: (count) => watch.onBatch(history.length + 1, count),
    onEpoch: (losses) => {
      const record = { epoch: history.length + 1, ...losses, seconds: watch.lap(), labelled: null };
      history.push(record);
      watch.onEpoch(record, false);
    },
  }).finally(() => {
    bar.end();
    watch.end();
  });
