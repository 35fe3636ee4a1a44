/** Trains a model to reconstruct good images, epoch by epoch, so that it can go on bit for bit where it stopped. */
import type { Recipe } from '../config/recipe.ts';
import { type BatchOptions, batchesOf, datasetOf } from './batches.ts';
import { type EpochRecord, readCheckpoint, type Values, writeCheckpoint } from './checkpoint.ts';
import { InterruptedError, TrainerError } from './error.ts';
import { computeFeatures, type Picture } from './features.ts';
import { meanLoss, scoresOf } from './losses/measure.ts';
import type { Taps } from './losses/perceptual.ts';
import { makeResidual } from './losses/residual.ts';
import type { Autoencoder } from './models/autoencoder.ts';
import { randomFor, shuffled } from './random.ts';
import { makeOptimizer, readWeights, reloadOptimizer, restoreOptimizer, setWeights } from './weights.ts';

export interface FitOptions {
  readonly recipe: Recipe;
  readonly seed: number;
  readonly split: { readonly train: readonly Picture[]; readonly validation: readonly Picture[] };
  /** Of the residual or loss `perceptual`. */
  readonly taps: Taps | null;
  /** Their mean scores are told after every epoch and used for nothing. */
  readonly labelled: { readonly good: readonly Picture[]; readonly poor: readonly Picture[] } | null;
  /** Where the state after each epoch is kept, and read from when it is there. */
  readonly checkpointFile: string;
  readonly fingerprint: string;
  /** Ends training after the batch. */
  readonly signal: AbortSignal;
  /** After each image that a frozen encoder has seen: how many there are, and bytes that all their features take. */
  readonly onFeature: (count: number, bytes: number) => void;
  readonly onBatch: (epoch: number, images: number) => void;
  readonly onEpoch: (record: EpochRecord, isBest: boolean) => void;
}

export interface Fitted {
  readonly history: readonly EpochRecord[];
  /** Epoch with the lowest validation loss, from 1; the model has its weights when `fit` returns. */
  readonly best: { readonly epoch: number; readonly validationLoss: number };
  /** Epochs that an earlier run had done. */
  readonly resumedFrom: number;
  readonly interrupted: boolean;
}

/**
 * Runs `recipe.epochs` epochs of unmodified `model.fitDataset`, from the checkpoint on if there is one. The weights of
 * the best epoch, by the loss on validation images (all good), are the result; nothing else chooses anything.
 * When it is stopped in the middle of an epoch, that epoch does not count, unless it is the first.
 * @throws TrainerError when the loss is no number any more.
 * @throws InterruptedError when it is stopped before the first batch.
 */
export async function fit(autoencoder: Autoencoder, options: FitOptions): Promise<Fitted> {
  const { recipe, seed, split, signal, checkpointFile, fingerprint } = options;
  const { model } = autoencoder;
  const optimizer = makeOptimizer(recipe.optimizer);
  const losses = autoencoder.losses(makeResidual(recipe.loss ?? recipe.residual, options.taps));
  model.compile({ optimizer, loss: losses });

  const saved = await readCheckpoint(checkpointFile, fingerprint);
  if (saved !== null) {
    setWeights(model, saved.weights);
    await restoreOptimizer(optimizer, saved.optimizer);
  }
  const history = [...(saved?.history ?? [])];
  const resumedFrom = history.length;
  let best = saved?.best ?? { epoch: 0, validationLoss: Number.POSITIVE_INFINITY };
  let bestWeights: readonly Values[] = saved?.bestWeights ?? [];
  let interrupted = false;

  const going = resumedFrom < recipe.epochs && !signal.aborted;
  const batching = await prepareBatches(autoencoder, options, going);
  // What a model draws for its inputs is the same for every validation: epochs are compared on equal terms.
  const validate = () =>
    meanLoss(model, losses, batchesOf(split.validation, randomFor(seed, 'validation'), batching));

  let began = performance.now();
  const endEpoch = async (trainingLoss: number): Promise<readonly Values[]> => {
    const validationLoss = await validate();
    const labelled = await scoreLabelled(autoencoder, options, batching);
    const seconds = (performance.now() - began) / 1000;
    const record = { epoch: history.length + 1, loss: trainingLoss, validationLoss, seconds, labelled };
    requireFinite(record, recipe);
    history.push(record);
    const weights = await readWeights(model);
    const isBest = validationLoss < best.validationLoss;
    if (isBest) {
      best = { epoch: record.epoch, validationLoss };
      bestWeights = weights;
    }
    options.onEpoch(record, isBest);
    began = performance.now();
    return weights;
  };

  const training = datasetOf(split.train.length, recipe.batchSize, () => {
    const order = shuffled(split.train, randomFor(seed, 'shuffle', history.length));
    return batchesOf(order, randomFor(seed, 'inputs', history.length), batching);
  });
  let running = { loss: Number.NaN, images: 0, batches: 0 };
  const stopIfAsked = () => {
    if (signal.aborted) model.stopTraining = true;
  };
  if (going)
    await model.fitDataset(training, {
      epochs: recipe.epochs,
      initialEpoch: resumedFrom,
      verbose: 0,
      callbacks: {
        onEpochBegin: async () => {
          running = { loss: Number.NaN, images: 0, batches: 0 };
        },
        onBatchEnd: async (_, logs) => {
          const { loss, size } = logs as { loss: number; size: number };
          const sum = (running.batches === 0 ? 0 : running.loss * running.images) + loss * size;
          const images = running.images + size;
          running = { loss: sum / images, images, batches: running.batches + 1 };
          options.onBatch(history.length + 1, size);
          stopIfAsked();
        },
        onEpochEnd: async () => {
          interrupted = running.batches < training.size;
          if (interrupted) return;
          const weights = await endEpoch(running.loss);
          // The optimizer goes on from what was saved, as after --resume: both ways the numbers are the same.
          const state = await reloadOptimizer(optimizer);
          await writeCheckpoint(checkpointFile, {
            fingerprint,
            history,
            best,
            weights,
            optimizer: state,
            bestWeights,
          });
          stopIfAsked();
        },
      },
    });
  if (history.length === 0) {
    if (running.batches === 0) throw new InterruptedError('Interrupted before the first batch.');
    await endEpoch(running.loss);
  }
  setWeights(model, bestWeights);
  return { history, best, resumedFrom, interrupted: interrupted || history.length < recipe.epochs };
}

/** Computes the features of all images, where a frozen encoder wants them and there is something left to train. */
async function prepareBatches(
  autoencoder: Autoencoder,
  { recipe, split, labelled, signal, onFeature }: FitOptions,
  going: boolean,
): Promise<BatchOptions> {
  const { encoder } = autoencoder;
  if (encoder === null || !going) return { autoencoder, recipe, features: null };
  const pictures = [
    ...split.train,
    ...split.validation,
    ...(labelled?.good ?? []),
    ...(labelled?.poor ?? []),
  ];
  const features = await computeFeatures(encoder, pictures, (count, bytes) => {
    if (signal.aborted) throw new InterruptedError('Interrupted while encoding images.');
    onFeature(count, bytes);
  });
  return { autoencoder, recipe, features };
}

async function scoreLabelled(
  autoencoder: Autoencoder,
  { recipe, labelled, taps }: FitOptions,
  batching: BatchOptions,
): Promise<EpochRecord['labelled']> {
  if (labelled === null || labelled.good.length === 0 || labelled.poor.length === 0) return null;
  // Good and poor in one pass: each batch size is one more graph that the onnx backend has to keep.
  const pictures = [...labelled.good, ...labelled.poor];
  const notDrawn = () => 0; // scores are deterministic: what the model's inputs would draw is not used
  const batches = batchesOf(pictures, notDrawn, batching);
  const scores = await scoresOf(autoencoder, makeResidual(recipe.residual, taps), batches);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    good: mean(scores.slice(0, labelled.good.length)),
    poor: mean(scores.slice(labelled.good.length)),
  };
}

function requireFinite({ epoch, loss, validationLoss }: EpochRecord, { optimizer }: Recipe): void {
  if (Number.isFinite(loss) && Number.isFinite(validationLoss)) return;
  throw new TrainerError(
    `Training diverged: the loss of epoch ${epoch} is ${loss}, ${validationLoss} in validation. Use a smaller step, such as --set optimizer.learningRate=${optimizer.learningRate / 10}.`,
  );
}
