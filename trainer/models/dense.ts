/** The dense autoencoder: kind `dense`. */
import * as tfl from '@tensorflow/tfjs-layers';
import type { Model } from '../../config/recipe.ts';
import { randomFor } from '../random.ts';
import type { BuildAutoencoder } from './autoencoder.ts';
import { glorot } from './blocks.ts';
import { plainAutoencoder } from './conv.ts';
import { startOutputAt } from './output-bias.ts';

/** float32 `[N, height, width, channels]` in [0, 1] -> the same; widths as `units`, then mirrored. */
export const buildDense: BuildAutoencoder = (recipe, seed, { meanColour }) => {
  const { units, activation } = recipe.model as Extract<Model, { kind: 'dense' }>;
  const { height, width, channels } = recipe.input;
  const random = randomFor(seed, 'weights');
  const shape = [height, width, channels];
  const image = tfl.input({ name: 'image', shape });
  let x = tfl.layers.flatten({ name: 'flatten' }).apply(image) as tfl.SymbolicTensor;
  const dense = (name: string, width: number) => {
    const layer = tfl.layers.dense({ name, units: width, activation, kernelInitializer: glorot(random) });
    x = layer.apply(x) as tfl.SymbolicTensor;
  };
  for (const [i, width] of units.entries()) dense(`encode${i + 1}`, width);
  for (const [i, width] of units.slice(0, -1).toReversed().entries()) dense(`decode${i + 1}`, width);
  const pixels = height * width;
  const output = tfl.layers.dense({
    name: 'reconstruction',
    units: pixels * channels,
    activation: 'sigmoid',
    kernelInitializer: glorot(random),
  });
  x = output.apply(x) as tfl.SymbolicTensor;
  startOutputAt(output, meanColour);
  const reshape = tfl.layers.reshape({ name: 'unflatten', targetShape: shape });
  return plainAutoencoder(
    tfl.model({ name: 'autoencoder', inputs: image, outputs: reshape.apply(x) as tfl.SymbolicTensor }),
  );
};
