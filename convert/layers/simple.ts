/** Layers of Keras that do little or nothing in inference. */
import {
  cast,
  elu,
  expandDims,
  greaterEqual,
  image,
  minimum,
  mul,
  neg,
  relu,
  slice,
  sub,
  sum,
  type Tensor,
  type Tensor4D,
  tensor1d,
  transpose,
} from '@tensorflow/tfjs-core';
import {
  KerasLayer,
  MaskedKerasLayer,
  one,
  type Settings,
  type Shape,
  type Shapes,
  type Tensors,
} from './keras_layer.ts';

/** Dropout, noise, and images that are changed by chance: only in training. */
export class Unchanged extends MaskedKerasLayer {
  static readonly className = 'PlumblineUnchanged';

  override call(inputs: Tensors): Tensor {
    return one(inputs);
  }
}

/** The first less the second; one of lower rank is the same along the axes that it lacks, which stand behind the batch. */
export class Subtract extends KerasLayer {
  static readonly className = 'PlumblineSubtract';

  override computeOutputShape(given: Shapes): Shape {
    const [a, b] = (given as Shape[]).map((shape, _, all) => widened(shape, rankOf(all))) as [Shape, Shape];
    return a.map((size, i) => (size === 1 ? b[i]! : size));
  }

  override call(inputs: Tensors): Tensor {
    const tensors = inputs as Tensor[];
    const rank = rankOf(tensors.map(({ shape }) => shape));
    const [a, b] = tensors.map((x) =>
      Array.from({ length: rank - x.rank }).reduce<Tensor>((wide) => expandDims(wide, 1), x),
    ) as [Tensor, Tensor];
    return sub(a, b);
  }
}

function rankOf(shapes: ReadonlyArray<readonly unknown[]>): number {
  return Math.max(...shapes.map((shape) => shape.length));
}

function widened(shape: Shape, rank: number): Shape {
  return [shape[0]!, ...Array.from({ length: rank - shape.length }, () => 1), ...shape.slice(1)];
}

interface ReLUSettings extends Settings {
  readonly maxValue?: number | null;
  readonly negativeSlope?: number;
  readonly threshold?: number;
}

/** A rectifier with all of Keras' settings. */
export class ReLU extends MaskedKerasLayer<ReLUSettings> {
  static readonly className = 'PlumblineReLU';

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const { maxValue, negativeSlope: slope = 0, threshold = 0 } = this.settings;
    const above = mul(x, cast(greaterEqual(x, threshold), 'float32'));
    const below = mul(relu(sub(threshold, x)), slope);
    const limited = maxValue === null || maxValue === undefined ? above : minimum(above, maxValue);
    return slope === 0 ? limited : sub(limited, below);
  }
}

interface ELUSettings extends Settings {
  readonly alpha?: number;
}

/** With another slope than 1, which TensorFlow.js refuses. */
export class ELU extends MaskedKerasLayer<ELUSettings> {
  static readonly className = 'PlumblineELU';

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    return sub(relu(x), mul(relu(neg(elu(x))), this.settings.alpha ?? 1));
  }
}

interface DiscretizationSettings extends Settings {
  readonly binBoundaries?: number[] | null;
  readonly outputMode?: string;
}

/** How many of the boundaries a number has reached. */
export class Discretization extends KerasLayer<DiscretizationSettings> {
  static readonly className = 'PlumblineDiscretization';

  override call(inputs: Tensors): Tensor {
    const { binBoundaries, outputMode = 'int' } = this.settings;
    if (outputMode !== 'int' || !binBoundaries?.length)
      return this.refuse(
        `(Discretization) has the output mode ${outputMode} and ${binBoundaries?.length ?? 'no'} boundaries; only numbers of bins, by boundaries that are saved, can be converted`,
      );
    const reached = greaterEqual(expandDims(one(inputs), -1), tensor1d(binBoundaries, 'float32'));
    return sum(cast(reached, 'int32'), -1);
  }
}

interface CropSettings extends Settings {
  readonly height: number;
  readonly width: number;
  readonly dataFormat?: 'channelsFirst' | 'channelsLast' | null;
}

/** RandomCrop in inference: the largest part in the middle of the same proportions, resized. */
export class ProportionalCrop extends KerasLayer<CropSettings> {
  static readonly className = 'PlumblineProportionalCrop';

  get #first(): boolean {
    return this.settings.dataFormat === 'channelsFirst';
  }

  override computeOutputShape(given: Shapes): Shape {
    const shape = given as Shape;
    const { height, width } = this.settings;
    return this.#first ? [shape[0]!, shape[1]!, height, width] : [shape[0]!, height, width, shape[3]!];
  }

  override call(inputs: Tensors): Tensor {
    const { height, width } = this.settings;
    const x = one<Tensor4D>(inputs);
    const images = this.#first ? transpose(x, [0, 2, 3, 1]) : x;
    const [batch, rows, columns, channels] = images.shape;
    const size = [
      Math.min(rows, Math.floor((columns * height) / width)),
      Math.min(columns, Math.floor((rows * width) / height)),
    ] as const;
    const begin = [Math.floor((rows - size[0]) / 2), Math.floor((columns - size[1]) / 2)] as const;
    const part = slice(images, [0, ...begin, 0], [batch, ...size, channels]);
    const resized = image.resizeBilinear(part, [height, width], false, true);
    return this.#first ? transpose(resized, [0, 3, 1, 2]) : resized;
  }
}
