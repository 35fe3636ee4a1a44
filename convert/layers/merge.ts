/** Sums and the like of inputs with masks: TensorFlow.js gives their mask an axis too many, and passes over the last of them. */
import {
  any,
  cast,
  concat,
  expandDims,
  logicalAnd,
  logicalOr,
  maximum,
  minimum,
  mul,
  onesLike,
  serialization,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import type { Masks } from '../masked_models.ts';
import type { Tensors } from './keras_layer.ts';
import { Subtract, Unchanged } from './simple.ts';

type LayerClass = (new (config: never) => layers.Layer) & { readonly className: string };

const { classNameMap } = serialization.SerializationMap.getMap();
const own = ['Add', 'Multiply', 'Average', 'Maximum', 'Minimum'].map(
  (name) => [name, classNameMap[name]![0] as unknown as LayerClass] as const,
);

const given = (masks: Masks): Tensor[] => masks.flatMap((mask) => mask ?? []);

/** Keras 2: what all masks that there are let through. */
const all = (masks: Masks): Tensor | undefined =>
  given(masks).reduce<Tensor | undefined>((a, b) => (a === undefined ? b : logicalAnd(a, b)), undefined);

/** Keras 3: what one of the masks lets through; everything where an input has none. */
const some = (masks: Masks): Tensor | undefined =>
  given(masks).length < masks.length
    ? undefined
    : given(masks).reduce<Tensor | undefined>((a, b) => (a === undefined ? b : logicalOr(a, b)), undefined);

function merging(Own: LayerClass, name: string, merged: (masks: Masks) => Tensor | undefined): LayerClass {
  return class extends Own {
    static override readonly className = name;

    override computeMask(_inputs: Tensors, mask?: Tensors): Tensors {
      return merged([mask ?? []].flat()) ?? (null as unknown as Tensor);
    }
  };
}

function mergingAll(suffix: string, merged: (masks: Masks) => Tensor | undefined) {
  const classes = [...own, ['Subtract', Subtract as unknown as LayerClass] as const];
  return Object.fromEntries(
    classes.map(([name, Own]) => [name, merging(Own, `Plumbline${name}${suffix}`, merged)]),
  );
}

/** By the name of the class, for models with masks that Keras 2 saved. */
export const MERGED_BY_2: Readonly<Record<string, LayerClass>> = {
  ...mergingAll('Of2', all),
  Identity: merging(Unchanged as unknown as LayerClass, 'PlumblineIdentityOf2', () => undefined),
};

/** A mask [N, T] for every number of `x`; what is no mask stays so. */
const everywhere = (mask: Masks[number], x: Tensor): Tensor | undefined =>
  mask ? logicalAnd(mask.rank < x.rank ? expandDims(mask, -1) : mask, truths(x)) : undefined;

const truths = (x: Tensor): Tensor => cast(onesLike(x), 'bool');

/** Keras 3 multiplies what the masks let through; zeros where no mask does. */
function product(inputs: readonly Tensor[], masks: readonly (Tensor | undefined)[]): Tensor {
  const result = inputs
    .map((x, i) => (masks[i] === undefined ? x : where(masks[i], x, onesLike(x))))
    .reduce((a, b) => mul(a, b));
  const mask = some(masks);
  return mask === undefined ? result : where(mask, result, zerosLike(result));
}

/** Keras 3 leaves out of a comparison what a mask does not let through. */
const among =
  (operation: (a: Tensor, b: Tensor) => Tensor) =>
  ([first, ...others]: readonly Tensor[], [mask, ...masks]: readonly (Tensor | undefined)[]): Tensor => {
    let [result, through] = [first!, mask];
    others.forEach((x, i) => {
      const other = masks[i] === undefined ? x : where(masks[i], x, result);
      const before = through === undefined ? result : where(through, result, other);
      through = some([through, masks[i]]);
      result = operation(before, other);
    });
    return result;
  };

const MASKED_RESULTS: Readonly<Record<string, ReturnType<typeof among>>> = {
  Multiply: product,
  Maximum: among(maximum),
  Minimum: among(minimum),
};

/** `Own`, with what Keras 3 makes of numbers that a mask leaves out. */
function masking(Own: LayerClass, result: ReturnType<typeof among>): LayerClass {
  return class extends Own {
    readonly takesAllMasks = true;

    override call(inputs: Tensors, settings: { mask?: Masks }): Tensors {
      const [values, masks] = [[inputs].flat() as Tensor[], settings.mask ?? []];
      // Of an input of fewer axes, which it gives another, Keras loses the mask.
      const same = values.every(({ rank }) => rank === values[0]!.rank);
      if (given(masks).length === 0 || !same) return super.call(inputs, settings) as Tensors;
      return result(
        values,
        values.map((x, i) => everywhere(masks[i], x)),
      );
    }
  };
}

const rescaling = classNameMap.Rescaling![0] as unknown as LayerClass;

/** TensorFlow.js hands no mask on here, nor does Keras 2. */
class Rescaling extends rescaling {
  static override readonly className: string = 'PlumblineRescalingOf3';
  override supportsMasking = true;
}

const concatenate = classNameMap.Concatenate![0] as unknown as LayerClass;

class Concatenate extends concatenate {
  static override readonly className: string = 'PlumblineConcatenateOf3';
  declare readonly axis: number;

  /** What the mask of one input lets through. */
  override computeMask(inputs: Tensors, mask?: Tensors): Tensors {
    const [values, masks] = [[inputs].flat() as Tensor[], [mask ?? []].flat() as Masks];
    if (given(masks).length === 0) return null as unknown as Tensor;
    const all = values.map((x, i) => everywhere(masks[i], x) ?? truths(x));
    return any(concat(all, this.axis), -1);
  }
}

/** The same of Keras 3, from 3.4 on; before it did as Keras 2. */
export const MERGED_BY_3: Readonly<Record<string, LayerClass>> = {
  ...Object.fromEntries(
    Object.entries(mergingAll('Of3', some)).map(([name, Own]) => {
      const result = MASKED_RESULTS[name];
      return [name, result === undefined ? Own : masking(Own, result)];
    }),
  ),
  Concatenate,
  Rescaling,
};

/** The same of the operations of Keras 3 (`x + y`), and of those with a number: they hand no mask on. */
export const UNMASKED: Readonly<Record<string, LayerClass>> = {
  ...mergingAll('Unmasked', () => undefined),
  Rescaling: merging(rescaling, 'PlumblineRescalingUnmasked', () => undefined),
};
