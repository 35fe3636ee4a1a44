/** Keras' Conv2D with `groups`, which TensorFlow.js passes over. */
import { add, concat, conv2d, serialization, split, type Tensor, type Tensor4D } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';

export const GROUPED_CONVOLUTION = 'PlumblineGroupedConv2D';

/** Lets `tf.loadLayersModel` read models with this layer; doing it again changes nothing. */
export function registerGroupedConvolution(): void {
  serialization.registerClass(GroupedConvolution);
}

type Config = Parameters<typeof layers.conv2d>[0] & { groups: number };
type Shape = Array<number | null>;

/** [N, H, W, C] -> [N, h, w, filters]: each of `groups` equal parts of the channels makes its part of the filters. */
class GroupedConvolution extends layers.Layer {
  static readonly className = GROUPED_CONVOLUTION;
  readonly #config: Config;
  /** Of the same settings but for the groups: their numbers, in TensorFlow.js' form, and the shape of the result. */
  readonly #whole: layers.Layer & {
    readonly strides: [number, number];
    readonly dilationRate: [number, number];
  };
  readonly #activation: layers.Layer;

  constructor(config: Config) {
    super(config);
    if (config.dataFormat === 'channelsFirst')
      throw new Error(
        `layer ${config.name} is a convolution in groups of channels that lie first; only last can be converted`,
      );
    this.#config = config;
    this.#whole = layers.conv2d({ ...config, name: `${this.name}_whole` }) as never;
    this.#activation = layers.activation({ activation: config.activation ?? 'linear' });
  }

  override build(shape: Shape): void {
    const { kernelSize, groups, filters, useBias = true } = this.#config;
    const window = [kernelSize, kernelSize].flat().slice(0, 2);
    const zeros = initializers.zeros();
    this.addWeight('kernel', [...window, shape[3]! / groups, filters], 'float32', zeros);
    if (useBias) this.addWeight('bias', [filters], 'float32', zeros);
    this.built = true;
  }

  override computeOutputShape(shape: Shape): Shape {
    return this.#whole.computeOutputShape(shape) as Shape;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    const { groups, padding = 'valid' } = this.#config;
    const { strides, dilationRate } = this.#whole;
    const [kernel, bias] = this.getWeights() as [Tensor4D, Tensor?];
    const filters = split<Tensor4D>(kernel, groups, 3);
    const parts = split<Tensor4D>([inputs].flat()[0] as Tensor4D, groups, 3).map((part, i) =>
      conv2d(part, filters[i]!, strides, padding as 'same' | 'valid', 'NHWC', dilationRate),
    );
    const whole = concat(parts, 3);
    return this.#activation.call(bias === undefined ? whole : add(whole, bias), {}) as Tensor;
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), ...(this.#config as unknown as serialization.ConfigDict) };
  }
}
