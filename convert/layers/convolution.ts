/** Convolutions of Keras that TensorFlow.js lacks, or whose settings it passes over. */
import {
  add,
  conv2d,
  conv2dTranspose,
  conv3dTranspose,
  depthwiseConv2d,
  expandDims,
  pad,
  reshape,
  slice,
  squeeze,
  type Tensor,
  type Tensor3D,
  type Tensor4D,
  type Tensor5D,
  transpose,
} from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import {
  each,
  KerasLayer,
  one,
  type Settings,
  type Shape,
  type Shapes,
  type Tensors,
} from './keras_layer.ts';

interface ConvolutionSettings extends Settings {
  readonly filters: number;
  readonly kernelSize: number | number[];
  readonly strides?: number | number[];
  readonly padding?: 'same' | 'valid' | 'causal';
  readonly dilationRate?: number | number[];
  readonly outputPadding?: number | number[] | null;
  readonly depthMultiplier?: number;
  readonly dataFormat?: 'channelsFirst' | 'channelsLast';
  readonly useBias?: boolean;
  readonly activation?: string | null;
}

/** `computed` takes and gives `[N, ...space, channels]`; what lies around it is the same for all. */
abstract class Convolution extends KerasLayer<ConvolutionSettings> {
  abstract readonly dimensions: 1 | 2 | 3;
  readonly #activation: layers.Layer;

  constructor(settings: ConvolutionSettings) {
    super(settings);
    this.#activation = layers.activation({ activation: (settings.activation ?? 'linear') as 'linear' });
  }

  protected abstract buildKernels(channels: number): void;
  protected abstract computed(x: Tensor): Tensor;
  /** Of one axis of space: its length behind the layer. */
  protected abstract length(given: number, axis: number): number;

  protected get first(): boolean {
    return this.settings.dataFormat === 'channelsFirst';
  }

  protected channels(given: number): number {
    return this.settings.filters ?? given;
  }

  protected spatial(name: 'kernelSize' | 'strides' | 'dilationRate'): number[] {
    return each(this.settings[name] ?? 1, this.dimensions);
  }

  override build(shape: Shape): void {
    const channels = shape.at(this.first ? 1 : -1)!;
    this.buildKernels(channels);
    if (this.settings.useBias ?? true) this.weigh('bias', [this.channels(channels)]);
    this.built = true;
  }

  override computeOutputShape(given: Shapes): Shape {
    const shape = given as Shape;
    const space = this.first ? shape.slice(2) : shape.slice(1, -1);
    const lengths = space.map((size, i) => (size === null ? null : this.length(size, i)));
    const channels = this.channels(shape.at(this.first ? 1 : -1)!);
    return this.first ? [shape[0]!, channels, ...lengths] : [shape[0]!, ...lengths, channels];
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const { bias } = this.held;
    const axes = x.shape.map((_, i) => i);
    const last = this.first ? transpose(x, [0, ...axes.slice(2), 1]) : x;
    const convolved = this.computed(last);
    const whole = bias === undefined ? convolved : add(convolved, bias);
    const activated = this.#activation.call(whole, {}) as Tensor;
    return this.first ? transpose(activated, [0, x.rank - 1, ...axes.slice(1, -1)]) : activated;
  }
}

/** The whole result of each window, cut or filled with zeros to the length that Keras gives it. */
abstract class Transposed extends Convolution {
  protected override buildKernels(channels: number): void {
    this.weigh('kernel', [...this.spatial('kernelSize'), this.settings.filters, channels]);
  }

  /** Of the window along an axis, with the gaps in it. */
  #window(axis: number): number {
    return (this.spatial('kernelSize')[axis]! - 1) * this.spatial('dilationRate')[axis]! + 1;
  }

  /** tf_keras/src/utils/conv_utils.py, deconv_output_length. */
  protected override length(given: number, axis: number): number {
    const { padding = 'valid', outputPadding } = this.settings;
    const [window, stride] = [this.#window(axis), this.spatial('strides')[axis]!];
    if (outputPadding === null || outputPadding === undefined)
      return given * stride + (padding === 'same' ? 0 : Math.max(window - stride, 0));
    const border = padding === 'same' ? Math.floor(window / 2) : 0;
    return (given - 1) * stride + window - 2 * border + each(outputPadding, this.dimensions)[axis]!;
  }

  protected override computed(x: Tensor): Tensor {
    const strides = this.spatial('strides');
    const kernel = this.spatial('dilationRate').reduce(withGaps, this.held.kernel!);
    const whole = transposed(x, kernel, strides);
    const begin = whole.shape.map(() => 0);
    const size = [...whole.shape];
    const missing = whole.shape.map((): [number, number] => [0, 0]);
    strides.forEach((_, i) => {
      const length = this.length(x.shape[i + 1]!, i);
      begin[i + 1] = Math.floor(Math.max(whole.shape[i + 1]! - length, 0) / 2);
      size[i + 1] = Math.min(length, whole.shape[i + 1]! - begin[i + 1]!);
      missing[i + 1] = [0, length - size[i + 1]!];
    });
    const cut = size.some((length, i) => length !== whole.shape[i]) ? slice(whole, begin, size) : whole;
    return missing.some(([, zeros]) => zeros > 0) ? pad(cut, missing) : cut;
  }
}

/** Of length (length - 1) * stride + window along each axis. */
function transposed(x: Tensor, kernel: Tensor, strides: readonly number[]): Tensor {
  const lengths = strides.map((stride, i) => (x.shape[i + 1]! - 1) * stride + kernel.shape[i]!);
  const shape = [x.shape[0]!, ...lengths, kernel.shape.at(-2)!];
  if (strides.length === 3)
    return conv3dTranspose(
      x as Tensor5D,
      kernel as Tensor5D,
      shape as [number, number, number, number, number],
      strides as [number, number, number],
      'valid',
    );
  if (strides.length === 2)
    return conv2dTranspose(
      x as Tensor4D,
      kernel as Tensor4D,
      shape as [number, number, number, number],
      strides as [number, number],
      'valid',
    );
  return squeeze(transposed(expandDims(x, 1), expandDims(kernel, 0), [1, ...strides]), [1]);
}

/** Zeros between the numbers of a filter along an axis: what `rate` means. */
function withGaps(kernel: Tensor, rate: number, axis: number): Tensor {
  if (rate === 1) return kernel;
  const size = kernel.shape[axis]!;
  const [before, behind] = [kernel.shape.slice(0, axis), kernel.shape.slice(axis + 1)];
  const [outer, inner] = [before, behind].map((part) => part.reduce((a, b) => a * b, 1)) as [number, number];
  const apart = pad(reshape(kernel, [outer, size, 1, inner]), [
    [0, 0],
    [0, 0],
    [0, rate - 1],
    [0, 0],
  ]);
  const length = (size - 1) * rate + 1;
  const cut = slice(reshape(apart, [outer, size * rate, inner]), [0, 0, 0], [outer, length, inner]);
  return reshape(cut, [...before, length, ...behind]);
}

export class Conv1DTranspose extends Transposed {
  static readonly className = 'PlumblineConv1DTranspose';
  readonly dimensions = 1;
}

export class Conv2DTranspose extends Transposed {
  static readonly className = 'PlumblineConv2DTranspose';
  readonly dimensions = 2;
}

export class Conv3DTranspose extends Transposed {
  static readonly className = 'PlumblineConv3DTranspose';
  readonly dimensions = 3;
}

/** Each channel of `[N, steps, channels]` with filters of its own. */
export class DepthwiseConv1D extends Convolution {
  static readonly className: string = 'PlumblineDepthwiseConv1D';
  readonly dimensions = 1;

  protected override buildKernels(channels: number): void {
    const [size] = this.spatial('kernelSize') as [number];
    this.weigh('depthwise_kernel', [size, channels, this.settings.depthMultiplier ?? 1]);
  }

  protected override channels(given: number): number {
    return given * (this.settings.depthMultiplier ?? 1);
  }

  get #reach(): number {
    return (this.spatial('kernelSize')[0]! - 1) * this.spatial('dilationRate')[0]!;
  }

  protected override length(given: number): number {
    const border = (this.settings.padding ?? 'valid') === 'valid' ? this.#reach : 0;
    return Math.ceil((given - border) / this.spatial('strides')[0]!);
  }

  protected override computed(x: Tensor): Tensor {
    const { padding = 'valid' } = this.settings;
    const [stride, rate] = [this.spatial('strides')[0]!, this.spatial('dilationRate')[0]!];
    const causal = padding === 'causal';
    const steps = causal
      ? pad(x, [
          [0, 0],
          [this.#reach, 0],
          [0, 0],
        ])
      : x;
    const convolved = depthwiseConv2d(
      expandDims<Tensor4D>(steps, 1),
      expandDims<Tensor4D>(this.held.depthwise_kernel!, 0),
      [1, stride],
      causal ? 'valid' : padding,
      'NHWC',
      [1, rate],
    );
    return squeeze<Tensor3D>(convolved, [1]);
  }
}

/** The same, and a product over the channels behind it. */
export class SeparableConv1D extends DepthwiseConv1D {
  static override readonly className = 'PlumblineSeparableConv1D';

  protected override buildKernels(channels: number): void {
    super.buildKernels(channels);
    this.weigh('pointwise_kernel', [1, super.channels(channels), this.settings.filters]);
  }

  protected override channels(): number {
    return this.settings.filters;
  }

  protected override computed(x: Tensor): Tensor {
    const kernel = expandDims<Tensor4D>(this.held.pointwise_kernel!, 0);
    return squeeze<Tensor3D>(conv2d(expandDims<Tensor4D>(super.computed(x), 1), kernel, 1, 'valid'), [1]);
  }
}
