/** The patch transformer: a small autoencoder that learns to draw hidden patches from visible ones. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ConfigError } from '../../config/errors.ts';
import type { Model, Recipe } from '../../config/recipe.ts';
import { randomFor } from '../random.ts';
import type { Autoencoder, Images, ModelContext } from './autoencoder.ts';
import { copies } from './check.ts';
import { startOutputAt } from './output-bias.ts';
import {
  Attention,
  HiddenTokens,
  Positions,
  registerTransformerLayers,
  TokenNormalization,
  VisiblePatches,
} from './transformer/layers.ts';
import { complementaryMasks, hiddenCount, randomMasks } from './transformer/masks.ts';

/**
 * Float32 `[N, height, width, channels]` in [0, 1] -> the same. Patches are embedded linearly and get fixed positions;
 * `depth` blocks (attention and a network of four times the width, each behind a normalization: pre-norm, GELU) see
 * all of them; each token is squeezed to `latent` numbers; one more block and a sigmoid draw the patches.
 *
 * With `mask` above 0 it is a masked autoencoder (He et al. 2022): in training a share of the patches, drawn anew for
 * every image, is hidden behind one learned token, and only their errors count, divided by the share, so that the loss
 * is comparable with the score. Unlike there, the encoder sees the hidden tokens too (as in SimMIM, Xie et al. 2022):
 * every batch has one shape. Visible patches pass to the output as they are, so that a residual that looks across
 * the border of a patch sees a true neighbourhood.
 *
 * `reconstruct` then hides every patch once, in ceil(1 / mask) passes with complementary patterns (two chessboards for
 * 0.5), and puts the hidden parts together: each patch is drawn from the others alone, never from itself. An anomaly
 * therefore cannot be copied into its own reconstruction, however wide the bottleneck, which is how autoencoders miss
 * anomalies (reconstruction by inpainting, Zavrtanik et al. 2021); and what is scored is what was trained. The price
 * is as many passes. With `mask` 0 it is a plain autoencoder, in one pass.
 *
 * @throws ConfigError, see checkPatchTransformer.
 */
export function buildPatchTransformer(
  recipe: Recipe,
  seed: number,
  { meanColour }: ModelContext,
): Autoencoder {
  checkPatchTransformer(recipe);
  const shape = patchShape(recipe);
  const { mask: share } = shape.options;
  registerTransformerLayers();
  const model = patchTransformer(shape, seed);
  startOutputAt(model.getLayer('reconstruction'), meanColour);
  const meanOverHidden = share === 0 ? 1 : shape.patches / hiddenCount(shape.patches, share);
  return {
    model,
    encoder: null,
    inputs: (images, _, random) => {
      const count = images.shape[0]!;
      if (share === 0) return [images];
      return [images, tf.tensor2d(randomMasks(count, shape.patches, share, random), [count, shape.patches])];
    },
    targets: (images) => [images],
    losses: (reconstruction) => [
      (target, output) => tf.tidy(() => tf.mul(tf.mean(reconstruction(target, output)), meanOverHidden)),
    ],
    reconstruct: (images) =>
      tf.tidy(() => (share === 0 ? (model.apply(images) as tf.Tensor) : fromOthers(model, shape, images))),
  };
}

interface PatchShape {
  readonly options: Extract<Model, { kind: 'patch-transformer' }>;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly patches: number;
}

function patchTransformer(shape: PatchShape, seed: number): tfl.LayersModel {
  const { rows, columns, patches, height, width, channels, options } = shape;
  const { patch, depth, latent, mask } = options;
  const random = randomFor(seed, 'weights');
  const draw = () => Math.floor(random() * 2 ** 31);
  const values = patch * patch * channels;

  const image = tfl.input({ name: 'image', shape: [height, width, channels] });
  const hidden = tfl.input({ name: 'hidden', shape: [patches] });
  const grid = to(image, tfl.layers.reshape({ targetShape: [rows, patch, columns, patch, channels] }));
  const byPatch = to(grid, tfl.layers.permute({ dims: [1, 3, 2, 4, 5] }));
  const given = to(byPatch, tfl.layers.reshape({ name: 'patches', targetShape: [patches, values] }));

  let tokens = to(given, dense('embed', options.width, draw()));
  if (mask > 0)
    tokens = new HiddenTokens({ name: 'mask', seed: draw() }).apply([tokens, hidden]) as tfl.SymbolicTensor;
  tokens = to(tokens, new Positions({ name: 'encoder_positions', rows, columns }));
  for (let i = 1; i <= depth; i++) tokens = block(tokens, `encode${i}`, options, draw);
  tokens = to(tokens, new TokenNormalization({ name: 'encoder_norm' }));

  tokens = to(tokens, dense('bottleneck', latent, draw()));
  tokens = to(tokens, dense('widen', options.width, draw()));
  tokens = to(tokens, new Positions({ name: 'decoder_positions', rows, columns }));
  tokens = block(tokens, 'decode1', options, draw);
  tokens = to(tokens, new TokenNormalization({ name: 'decoder_norm' }));
  let drawn = to(tokens, dense('reconstruction', values, draw(), 'sigmoid'));
  if (mask > 0)
    drawn = new VisiblePatches({ name: 'visible' }).apply([drawn, given, hidden]) as tfl.SymbolicTensor;

  const spread = to(drawn, tfl.layers.reshape({ targetShape: [rows, columns, patch, patch, channels] }));
  const inRows = to(spread, tfl.layers.permute({ dims: [1, 3, 2, 4, 5] }));
  const output = to(inRows, tfl.layers.reshape({ name: 'output', targetShape: [height, width, channels] }));
  return tfl.model({ name: 'autoencoder', inputs: mask > 0 ? [image, hidden] : image, outputs: output });
}

/** x + attention(norm(x)), then x + network(norm(x)). */
function block(
  tokens: tfl.SymbolicTensor,
  name: string,
  { width, heads }: PatchShape['options'],
  draw: () => number,
): tfl.SymbolicTensor {
  const add = (part: string, x: tfl.SymbolicTensor) =>
    tfl.layers.add({ name: `${name}_${part}` }).apply([tokens, x]) as tfl.SymbolicTensor;
  const normal = to(tokens, new TokenNormalization({ name: `${name}_norm1` }));
  const parts = ['queries', 'keys', 'values'].map((part) =>
    to(normal, dense(`${name}_${part}`, width, draw())),
  );
  const mixed = new Attention({ name: `${name}_attention`, heads }).apply(parts) as tfl.SymbolicTensor;
  tokens = add('attended', to(mixed, dense(`${name}_mix`, width, draw())));
  const normal2 = to(tokens, new TokenNormalization({ name: `${name}_norm2` }));
  const wide = to(normal2, dense(`${name}_wide`, 4 * width, draw(), 'gelu'));
  return add('output', to(wide, dense(`${name}_narrow`, width, draw())));
}

function dense(name: string, units: number, seed: number, activation?: 'gelu' | 'sigmoid'): tfl.layers.Layer {
  const kernelInitializer = tfl.initializers.glorotUniform({ seed });
  return tfl.layers.dense({ name, units, kernelInitializer, ...(activation ? { activation } : {}) });
}

function to(x: tfl.SymbolicTensor, layer: tfl.layers.Layer): tfl.SymbolicTensor {
  return layer.apply(x) as tfl.SymbolicTensor;
}

/** Every patch as the model draws it where it is hidden. */
function fromOthers(model: tfl.LayersModel, shape: PatchShape, images: Images): Images {
  const { rows, columns, patches, height, width, options } = shape;
  const passes = complementaryMasks(rows, columns, options.mask).map((mask) => {
    const hidden = tf.tile(tf.tensor2d(mask, [1, patches]), [images.shape[0]!, 1]);
    const pixels = Float32Array.from({ length: height * width }, (_, i) => {
      const [row, column] = [Math.floor(i / width / options.patch), Math.floor((i % width) / options.patch)];
      return mask[row * columns + column]!;
    });
    return tf.mul(model.apply([images, hidden]) as tf.Tensor, tf.tensor(pixels, [1, height, width, 1]));
  });
  return tf.addN(passes);
}

function patchShape({ input: { height, width, channels }, model }: Recipe): PatchShape {
  const options = model as PatchShape['options'];
  const [rows, columns] = [height / options.patch, width / options.patch];
  return { options, height, width, channels, rows, columns, patches: rows * columns };
}

/** @throws ConfigError when patches do not fill the input, or heads do not divide the width, or it could but copy. */
export function checkPatchTransformer(recipe: Recipe): void {
  const { input } = recipe;
  const { options, patches, channels } = patchShape(recipe);
  const { patch, heads, width, mask, latent } = options;
  for (const side of ['width', 'height'] as const)
    if (input[side] % patch !== 0)
      throw new ConfigError(
        `input.${side} is ${input[side]}, which patches of ${patch} pixels do not fill: make it a multiple of ${patch}, such as ${Math.max(Math.round(input[side] / patch), 1) * patch}, or choose another model.patch.`,
      );
  const step = leastMultiple(4, heads);
  if (width % step !== 0)
    throw new ConfigError(
      `model.width is ${width}; it must be a multiple of 4 (positions) and of model.heads (${heads}), such as ${Math.ceil(width / step) * step}.`,
    );
  if (patches < 2 && mask > 0)
    throw new ConfigError(
      `model.patch is ${patch}, so that the image is one patch, with nothing beside it to draw it from: choose a smaller patch, or model.mask 0.`,
    );
  const values = patch * patch * channels;
  if (mask === 0 && latent >= values) throw copies(latent * patches, values * patches, 'model.latent');
}

function leastMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}
