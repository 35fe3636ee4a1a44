/** Borders, repetitions and means along axes of space, for which TensorFlow.js has layers of images alone. */
import { gather, max, mean, pad, slice, type Tensor, tensor1d } from '@tensorflow/tfjs-core';
import {
  each,
  KerasLayer,
  one,
  type Settings,
  type Shape,
  type Shapes,
  type Tensors,
} from './keras_layer.ts';

interface SpaceSettings extends Settings {
  readonly dataFormat?: 'channelsFirst' | 'channelsLast' | null;
  readonly padding?: Borders;
  readonly cropping?: Borders;
  readonly size?: number | number[];
  readonly keepdims?: boolean;
}

/** One number for all; one, or one before and one behind, for each axis; of a single axis also those two. */
type Borders = number | ReadonlyArray<number | readonly number[]>;

/** What becomes of each axis of space. */
abstract class AlongSpace extends KerasLayer<SpaceSettings> {
  protected abstract length(given: number, axis: number, dimensions: number): number;

  /** Of axis `i` of a tensor; undefined for the batch and the channels. */
  protected axisOfSpace(i: number, rank: number): number | undefined {
    const axis = i - (this.settings.dataFormat === 'channelsFirst' ? 2 : 1);
    return axis >= 0 && axis < rank - 2 ? axis : undefined;
  }

  override computeOutputShape(given: Shapes): Shape {
    const shape = given as Shape;
    return shape.map((size, i) => {
      const axis = this.axisOfSpace(i, shape.length);
      return size === null || axis === undefined ? size : this.length(size, axis, shape.length - 2);
    });
  }

  /** Before and behind each axis of a tensor. */
  protected allBorders(borders: Borders, rank: number): Array<[number, number]> {
    return Array.from({ length: rank }, (_, i) => {
      const axis = this.axisOfSpace(i, rank);
      return axis === undefined ? [0, 0] : bordersOf(borders, axis, rank - 2);
    });
  }
}

function bordersOf(borders: Borders, axis: number, dimensions: number): [number, number] {
  if (typeof borders === 'number') return [borders, borders];
  const own = dimensions === 1 && typeof borders[0] === 'number' ? borders : borders[axis]!;
  const [before, behind] = [own].flat() as [number, number?];
  return [before, behind ?? before];
}

export class ZeroPadding extends AlongSpace {
  static readonly className = 'PlumblineZeroPadding';

  protected override length(given: number, axis: number, dimensions: number): number {
    const [before, behind] = bordersOf(this.settings.padding ?? 1, axis, dimensions);
    return given + before + behind;
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    return pad(x, this.allBorders(this.settings.padding ?? 1, x.rank));
  }
}

export class Cropping extends AlongSpace {
  static readonly className = 'PlumblineCropping';

  protected override length(given: number, axis: number, dimensions: number): number {
    const [before, behind] = bordersOf(this.settings.cropping ?? 1, axis, dimensions);
    return given - before - behind;
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const borders = this.allBorders(this.settings.cropping ?? 1, x.rank);
    return slice(
      x,
      borders.map(([before]) => before),
      x.shape.map((size, i) => size - borders[i]![0] - borders[i]![1]),
    );
  }
}

/** Each place of space several times. */
export class UpSampling extends AlongSpace {
  static readonly className = 'PlumblineUpSampling';

  protected override length(given: number, axis: number, dimensions: number): number {
    return given * each(this.settings.size ?? 2, dimensions)[axis]!;
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    return x.shape.reduce((whole, size, i) => {
      const axis = this.axisOfSpace(i, x.rank);
      if (axis === undefined) return whole;
      const length = this.length(size, axis, x.rank - 2);
      const places = Array.from({ length }, (_, place) => Math.floor((place * size) / length));
      return gather(whole, tensor1d(places, 'int32'), i);
    }, x);
  }
}

abstract class Pooling extends AlongSpace {
  protected abstract pooled(x: Tensor, axes: number[], keep: boolean): Tensor;

  protected override length(): number {
    return 1;
  }

  override computeOutputShape(given: Shapes): Shape {
    const shape = super.computeOutputShape(given);
    if (this.settings.keepdims) return shape;
    return shape.filter((_, i) => this.axisOfSpace(i, shape.length) === undefined);
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const axes = x.shape.map((_, i) => i).filter((i) => this.axisOfSpace(i, x.rank) !== undefined);
    return this.pooled(x, axes, this.settings.keepdims ?? false);
  }
}

export class GlobalAveragePooling extends Pooling {
  static readonly className = 'PlumblineGlobalAveragePooling';

  protected override pooled(x: Tensor, axes: number[], keep: boolean): Tensor {
    return mean(x, axes, keep);
  }
}

export class GlobalMaxPooling extends Pooling {
  static readonly className = 'PlumblineGlobalMaxPooling';

  protected override pooled(x: Tensor, axes: number[], keep: boolean): Tensor {
    return max(x, axes, keep);
  }
}
