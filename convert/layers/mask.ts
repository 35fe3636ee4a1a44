/** Masks as tensors: TensorFlow.js hands a layer of several inputs the mask of the first alone. */
import { cast, ones, type Tensor } from '@tensorflow/tfjs-core';
import { KerasLayer, one, type Shape, type Shapes, type Tensors } from './keras_layer.ts';

/** [N, T, ...] -> [N, T]: 1 where a mask of the input lets a step through, or everywhere. */
export class MaskOf extends KerasLayer {
  static readonly className = 'PlumblineMaskOf';

  override computeOutputShape(given: Shapes): Shape {
    return (given as Shape).slice(0, 2);
  }

  override call(inputs: Tensors, { mask }: { mask?: Tensors | null }): Tensor {
    const [own] = [mask ?? []].flat();
    return own === undefined ? ones(one(inputs).shape.slice(0, 2)) : cast(own, 'float32');
  }
}
