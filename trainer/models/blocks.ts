/** Encoder blocks, and the layers that all convolutional models are made of. */
import * as tfl from '@tensorflow/tfjs-layers';
import type { Random } from '../random.ts';

export type Activation = 'relu' | 'elu' | 'tanh';

/** How the convolutions of a model look. */
export interface BlockStyle {
  readonly filters: readonly number[];
  readonly convolutions: number;
  readonly kernelSize: number;
  readonly activation: Activation;
  /** BatchNormalization between every convolution and its activation (Ioffe and Szegedy 2015). */
  readonly normalized: boolean;
}

/** Height and width. */
export type Size = readonly [number, number];

/** Glorot and Bengio 2010, uniform; the next number of `random` is its seed. */
export const glorot = (random: Random) =>
  tfl.initializers.glorotUniform({ seed: Math.floor(random() * 2 ** 31) });

/** One convolution that keeps height and width, with its activation. */
export function convolution(
  x: tfl.SymbolicTensor,
  name: string,
  filters: number,
  { kernelSize, activation, normalized }: BlockStyle,
  random: Random,
): tfl.SymbolicTensor {
  const conv = tfl.layers.conv2d({
    name,
    filters,
    kernelSize,
    padding: 'same',
    useBias: !normalized,
    kernelInitializer: glorot(random),
    ...(normalized ? {} : { activation }),
  });
  if (!normalized) return conv.apply(x) as tfl.SymbolicTensor;
  const norm = tfl.layers.batchNormalization({ name: `${name}_norm` });
  const active = tfl.layers.activation({ name: `${name}_${activation}`, activation });
  return active.apply(norm.apply(conv.apply(x))) as tfl.SymbolicTensor;
}

/** Convolutions and max pooling; `pool[i]` divides height and width after block i, rounded up. */
export function encode(
  image: tfl.SymbolicTensor,
  style: BlockStyle,
  pool: readonly number[],
  random: Random,
): tfl.SymbolicTensor {
  let x = image;
  for (const [i, filters] of style.filters.entries()) {
    for (const name of convolutionNames(`encode${i + 1}`, style))
      x = convolution(x, name, filters, style, random);
    const layer = tfl.layers.maxPooling2d({ name: `pool${i + 1}`, poolSize: pool[i]!, padding: 'same' });
    x = layer.apply(x) as tfl.SymbolicTensor;
  }
  return x;
}

/** Size of the image before the first block and after each. */
export function pooledSizes(size: Size, pool: readonly number[]): Size[] {
  const sizes: Size[] = [size];
  for (const factor of pool) {
    const [height, width] = sizes.at(-1)!;
    sizes.push([Math.ceil(height / factor), Math.ceil(width / factor)]);
  }
  return sizes;
}

export function convolutionNames(
  block: string,
  { convolutions }: Pick<BlockStyle, 'convolutions'>,
): string[] {
  return Array.from({ length: convolutions }, (_, i) => (i === 0 ? block : `${block}_${i + 1}`));
}
