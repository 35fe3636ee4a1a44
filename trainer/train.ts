/** From split images to a trained graph: one way for autoencoders of images, one for voices. */
import type { Manifest } from '../config/bundle.ts';
import type { Recipe } from '../config/recipe.ts';
import type { Console } from './console.ts';
import type { LoadedImage } from './data/load.ts';
import type { Split } from './data/split.ts';
import type { InstallSurroundings } from './encoders/install.ts';
import type { Picture } from './features.ts';
import type { Metrics, Weighting } from './metrics.ts';
import { trainAutoencoder } from './train-autoencoder.ts';
import { trainVoices } from './train-voices.ts';

export interface TrainOptions {
  readonly recipe: Recipe;
  readonly seed: number;
  readonly split: Pick<Split, 'train' | 'validation' | 'calibration' | 'groupOf'>;
  /** Told after every epoch, used for nothing. */
  readonly labelled: { readonly good: readonly Picture[]; readonly poor: readonly Picture[] } | null;
  /** Poor images that weigh the voices; empty: all speak alike. */
  readonly examples: readonly Picture[];
  /** Writes down what is trained, for a run to resume; called when nothing of it is refused any more, before it begins. */
  readonly begin: () => Promise<void>;
  /** Folder of the trained TensorFlow.js model. */
  readonly modelFolder: string;
  readonly checkpointFile: string;
  readonly fingerprint: string;
  readonly surroundings: InstallSurroundings;
  readonly threads: number;
  /** Its convolutions are to be computed in integers: refused before training where it has none. */
  readonly quantize: boolean;
  readonly stop: AbortSignal;
}

export interface Graphs {
  /** Serialised ONNX, see `exportGraph`. */
  readonly graph: Uint8Array;
  /** By what the calibration images are scored: the graph, or in cross-validation one that did not see them. */
  readonly unseen: readonly { readonly graph: Uint8Array; readonly images: readonly LoadedImage[] }[];
}

export interface Trained extends Graphs {
  /** Groups that the calibration images form. */
  readonly groups: number;
  readonly training: Metrics['training'];
  readonly model: Metrics['model'];
  /** What examples changed; null: there were none. */
  readonly weighting: Weighting | null;
  /** Of the pretrained encoder in the graph; null: none. */
  readonly encoder: NonNullable<Manifest['provenance']['encoder']> | null;
  /** What the graph gives beside score and map; null: an autoencoder of images, which gives its reconstruction. */
  readonly measurements: Measurements | null;
}

/** What a graph measures beside the score, in the order of its columns. */
export interface Measurements {
  readonly voices: readonly string[];
  readonly statistics: readonly string[];
}

/** @throws TrainerError, EncoderError or ConfigError; InterruptedError when it is stopped before there is anything to keep. */
export function train(options: TrainOptions, console: Console): Promise<Trained> {
  return options.recipe.model.kind === 'voices'
    ? trainVoices(options, console)
    : trainAutoencoder(options, console);
}
