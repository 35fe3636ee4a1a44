/** One entry for each kind of model: how it is built, and what is refused before. */
import { ConfigError } from '../../config/errors.ts';
import type { Model, Recipe } from '../../config/recipe.ts';
import type { Autoencoder, BuildAutoencoder, ModelContext } from './autoencoder.ts';
import { checkConvolutional, checkDense, checkVoices } from './check.ts';
import { buildConv } from './conv.ts';
import { buildConvLstm, checkConvLstm } from './convlstm.ts';
import { buildDense } from './dense.ts';
import { buildPatchTransformer, checkPatchTransformer } from './patch-transformer.ts';
import { buildPretrained } from './pretrained.ts';
import { buildVae } from './vae.ts';

interface Kind {
  /** null: no autoencoder of images; see `train-voices.ts`. */
  readonly build: BuildAutoencoder | null;
  readonly check: (recipe: Recipe) => void;
  /** Takes more than one frame. */
  readonly sequences: boolean;
}

const unchecked = () => {};

const KINDS: Readonly<Record<Model['kind'], Kind>> = {
  conv: { build: buildConv, check: checkConvolutional, sequences: false },
  'conv-bn': { build: buildConv, check: checkConvolutional, sequences: false },
  dense: { build: buildDense, check: checkDense, sequences: false },
  vae: { build: buildVae, check: checkConvolutional, sequences: false },
  convlstm: { build: buildConvLstm, check: checkConvLstm, sequences: true },
  pretrained: { build: buildPretrained, check: unchecked, sequences: false },
  'patch-transformer': {
    build: buildPatchTransformer,
    check: checkPatchTransformer,
    sequences: false,
  },
  voices: { build: null, check: checkVoices, sequences: false },
};

/**
 * The model of a recipe; equal seeds give equal initial weights.
 * @throws ConfigError when the recipe's model cannot be built.
 */
export function buildAutoencoder(recipe: Recipe, seed: number, context: ModelContext): Autoencoder {
  checkModel(recipe);
  const { build } = KINDS[recipe.model.kind];
  if (build === null)
    throw new TypeError(`A model of kind ${recipe.model.kind} is no autoencoder of images.`);
  return build(recipe, seed, context);
}

/** @throws ConfigError when the model does not suit its input, with what to change. */
export function checkModel(recipe: Recipe): void {
  const { kind } = recipe.model;
  const { check, sequences, build } = KINDS[kind];
  if (recipe.split.folds !== undefined && build !== null)
    throw new ConfigError(
      `split.folds goes with voices only, not with a model of kind ${kind}. Use split.validation and split.calibration.`,
    );
  if (recipe.input.frames > 1 && !sequences)
    throw new ConfigError(
      `input.frames is ${recipe.input.frames}, but a model of kind ${kind} sees one frame. Use --set input.frames=1, or model.kind=convlstm.`,
    );
  check(recipe);
}
