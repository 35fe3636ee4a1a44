/** Trains a model to reconstruct good images, epoch by epoch, so that it can go on bit for bit where it stopped. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Recipe } from '../config/recipe.ts';
import { batchesOf } from './batches.ts';
import { type EpochRecord, readCheckpoint, type Values, writeCheckpoint } from './checkpoint.ts';
import type { Split } from './data/split.ts';
import { InterruptedError, TrainerError } from './error.ts';
import { randomFor, shuffled } from './random.ts';
import { makeOptimizer, readWeights, reloadOptimizer, restoreOptimizer, setWeights } from './weights.ts';

export interface FitOptions {
  readonly recipe: Recipe;
  readonly seed: number;
  readonly split: Pick<Split, 'train' | 'validation'>;
  /** Where the state after each epoch is kept, and read from when it is there. */
  readonly checkpointFile: string;
  readonly fingerprint: string;
  /** Ends training after the batch. */
  readonly signal: AbortSignal;
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
export async function fit(model: LayersModel, options: FitOptions): Promise<Fitted> {
  const { recipe, seed, split, signal, checkpointFile, fingerprint } = options;
  const optimizer = makeOptimizer(recipe.optimizer);
  const loss = recipe.residual === 'squared' ? 'meanSquaredError' : 'meanAbsoluteError';
  model.compile({ optimizer, loss });

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

  let began = performance.now();
  const endEpoch = async (trainingLoss: number, validationLoss: number): Promise<readonly Values[]> => {
    const seconds = (performance.now() - began) / 1000;
    const record = { epoch: history.length + 1, loss: trainingLoss, validationLoss, seconds };
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

  const validation = batchesOf(() => split.validation, recipe);
  const training = batchesOf(() => shuffled(split.train, randomFor(seed, 'shuffle', history.length)), recipe);
  let runningLoss = Number.NaN;
  const stopIfAsked = () => {
    if (signal.aborted) model.stopTraining = true;
  };
  if (resumedFrom < recipe.epochs && !signal.aborted)
    await model.fitDataset(training, {
      epochs: recipe.epochs,
      initialEpoch: resumedFrom,
      validationData: validation,
      verbose: 0,
      callbacks: {
        onBatchEnd: async (batch, logs) => {
          runningLoss = ((batch === 0 ? 0 : runningLoss * batch) + logs!.loss!) / (batch + 1);
          options.onBatch(history.length + 1, logs!.size!);
          stopIfAsked();
        },
        onEpochEnd: async (_, logs) => {
          interrupted = logs?.val_loss === undefined;
          if (interrupted) return;
          const weights = await endEpoch(logs!.loss!, logs!.val_loss!);
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
    if (Number.isNaN(runningLoss)) throw new InterruptedError('Interrupted before the first batch.');
    const result = await model.evaluateDataset(validation, {});
    const [validationLoss] = await (Array.isArray(result) ? result[0]! : result).data();
    await endEpoch(runningLoss, validationLoss!);
  }
  setWeights(model, bestWeights);
  return { history, best, resumedFrom, interrupted: interrupted || history.length < recipe.epochs };
}

function requireFinite({ epoch, loss, validationLoss }: EpochRecord, { optimizer }: Recipe): void {
  if (Number.isFinite(loss) && Number.isFinite(validationLoss)) return;
  throw new TrainerError(
    `Training diverged: the loss of epoch ${epoch} is ${loss}, ${validationLoss} in validation. Use a smaller step, such as --set optimizer.learningRate=${optimizer.learningRate / 10}.`,
  );
}
