/** Decoders: convolutions and upsampling from a small map up to an image, or dense layers to a map first. */
import * as tfl from '@tensorflow/tfjs-layers';
import { ConfigError } from '../../config/errors.ts';
import type { Random } from '../random.ts';
import { type BlockStyle, convolution, convolutionNames, glorot, type Size } from './blocks.ts';
import { startOutputAt } from './output-bias.ts';

export interface DecoderOptions {
  /** Filters of the blocks from the small map to the large one. */
  readonly style: BlockStyle;
  /** Height and width after each block; see `enlargedSizes`. */
  readonly sizes: readonly Size[];
  readonly channels: number;
  readonly meanColour: readonly number[];
  readonly random: Random;
}

/**
 * `[N, h, w, c]` -> `[N, height, width, channels]` in [0, 1]: blocks of convolutions and upsampling, cropped to
 * `sizes`, then a convolution with a sigmoid. The output starts at `meanColour`: from the usual 0.5, images with much
 * black drive whole channels into the flat part of the sigmoid, where they stay (on drawn eyes 4 of 5 seeds ended ten
 * times worse). The last layer is called `reconstruction`.
 */
export function decode(code: tfl.SymbolicTensor, options: DecoderOptions): tfl.SymbolicTensor {
  const { style, sizes, channels, meanColour, random } = options;
  let x = code;
  for (const [i, filters] of style.filters.entries()) {
    for (const name of convolutionNames(`decode${i + 1}`, style))
      x = convolution(x, name, filters, style, random);
    x = enlarge(x, i + 1, sizes[i]!);
  }
  const output = tfl.layers.conv2d({
    name: 'reconstruction',
    filters: channels,
    kernelSize: style.kernelSize,
    padding: 'same',
    activation: 'sigmoid',
    kernelInitializer: glorot(random),
  });
  const image = output.apply(x) as tfl.SymbolicTensor;
  startOutputAt(output, meanColour);
  return image;
}

/** A vector to the map that a decoder starts from: a dense layer and a reshape. */
export function expand(
  code: tfl.SymbolicTensor,
  shape: readonly [number, number, number],
  activation: BlockStyle['activation'],
  random: Random,
): tfl.SymbolicTensor {
  const units = shape[0] * shape[1] * shape[2];
  const dense = tfl.layers.dense({ name: 'expand', units, activation, kernelInitializer: glorot(random) });
  const reshape = tfl.layers.reshape({ name: 'unflatten', targetShape: [...shape] });
  return reshape.apply(dense.apply(code)) as tfl.SymbolicTensor;
}

/**
 * Heights and widths after each of `blocks` blocks from `from` to `to`: doubled by each, the first taking what is left.
 * @throws ConfigError when the map is larger than the image already.
 */
export function enlargedSizes(from: Size, to: Size, blocks: number): Size[] {
  if (from[0] > to[0] || from[1] > to[1])
    throw new ConfigError(
      `The decoder starts from ${from[1]} x ${from[0]}, more than the ${to[1]} x ${to[0]} of the image. Choose a later tap (model.tap) or a larger input.`,
    );
  const sizes: Size[] = [to];
  while (sizes.length < blocks) {
    const [height, width] = sizes[0]!;
    sizes.unshift([Math.max(from[0], Math.ceil(height / 2)), Math.max(from[1], Math.ceil(width / 2))]);
  }
  return sizes;
}

/** Nearest-neighbour upsampling by whole factors, and cropping of what is too much at the lower right. */
function enlarge(x: tfl.SymbolicTensor, index: number, [height, width]: Size): tfl.SymbolicTensor {
  const [, fromHeight, fromWidth] = x.shape as number[];
  const factors: [number, number] = [Math.ceil(height / fromHeight!), Math.ceil(width / fromWidth!)];
  const excess = [fromHeight! * factors[0] - height, fromWidth! * factors[1] - width] as const;
  const upsample = tfl.layers.upSampling2d({ name: `upsample${index}`, size: factors });
  const large = upsample.apply(x) as tfl.SymbolicTensor;
  if (excess[0] === 0 && excess[1] === 0) return large;
  const crop = tfl.layers.cropping2D({
    name: `crop${index}`,
    cropping: [
      [0, excess[0]],
      [0, excess[1]],
    ],
  });
  return crop.apply(large) as tfl.SymbolicTensor;
}
