/** Normalizations of Keras that TensorFlow.js lacks. */
import {
  add,
  div,
  maximum,
  mean,
  moments,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@tensorflow/tfjs-core';
import { KerasLayer, MaskedKerasLayer, one, type Settings, type Shape, type Tensors } from './keras_layer.ts';

interface NormalizationSettings extends Settings {
  readonly axis?: number | number[];
  readonly epsilon?: number;
  readonly groups?: number;
  readonly center?: boolean;
  readonly scale?: boolean;
}

function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** To length 1 along its axes. */
export class UnitNormalization extends MaskedKerasLayer<NormalizationSettings> {
  static readonly className = 'PlumblineUnitNormalization';

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const axes = [this.settings.axis ?? -1].flat().map((axis) => fromStart(axis, x.rank));
    return div(x, sqrt(maximum(sum(square(x), axes, true), 1e-12)));
  }
}

/** Each group of channels together, over all of space. */
export class GroupNormalization extends MaskedKerasLayer<NormalizationSettings> {
  static readonly className = 'PlumblineGroupNormalization';

  #axis(rank: number): number {
    return fromStart([this.settings.axis ?? -1].flat()[0]!, rank);
  }

  override build(shape: Shape): void {
    const channels = shape[this.#axis(shape.length)]!;
    if (this.settings.scale ?? true) this.weigh('gamma', [channels]);
    if (this.settings.center ?? true) this.weigh('beta', [channels]);
    this.built = true;
  }

  override call(inputs: Tensors): Tensor {
    const given = one(inputs);
    const axis = this.#axis(given.rank);
    const others = given.shape.map((_, i) => i).filter((i) => i !== axis);
    const x = transpose(given, [...others, axis]); // channels last
    const [batch, ...places] = x.shape as [number, ...number[]];
    const channels = places.pop()!;
    const groups = [this.settings.groups ?? 32].map((count) => (count === -1 ? channels : count))[0]!;
    const size = places.reduce((a, b) => a * b, 1);
    const grouped = reshape(x, [batch, size, groups, channels / groups]);
    const { mean, variance } = moments(grouped, [1, 3], true);
    const unit = div(sub(grouped, mean), sqrt(add(variance, this.settings.epsilon ?? 1e-3)));
    const { gamma, beta } = this.held;
    const flat = reshape(unit, x.shape);
    const scaled = gamma === undefined ? flat : mul(flat, gamma);
    const moved = beta === undefined ? scaled : add(scaled, beta);
    const back = given.shape.map((_, i) => (i === axis ? given.rank - 1 : others.indexOf(i)));
    return transpose(moved, back);
  }
}

/** By the root of the mean square. */
export class RMSNormalization extends KerasLayer<NormalizationSettings> {
  static readonly className = 'PlumblineRMSNormalization';

  #axes(rank: number): number[] {
    return [this.settings.axis ?? -1].flat().map((axis) => fromStart(axis, rank));
  }

  override build(shape: Shape): void {
    const axes = this.#axes(shape.length);
    this.weigh(
      'scale',
      axes.map((axis) => shape[axis]!),
    );
    this.built = true;
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const axes = this.#axes(x.rank);
    const root = sqrt(add(mean(square(x), axes, true), this.settings.epsilon ?? 1e-6));
    const scale = x.shape.map((size, i) => (axes.includes(i) ? size : 1));
    return mul(div(x, root), reshape(this.held.scale!, scale));
  }
}
