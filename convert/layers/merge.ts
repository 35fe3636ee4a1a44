/** Sums and the like of inputs with masks: TensorFlow.js gives their mask an axis too many, and passes over the last of them. */
import { logicalAnd, logicalOr, serialization, type Tensor } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import type { Tensors } from './keras_layer.ts';
import { Subtract } from './simple.ts';

type LayerClass = (new (config: never) => layers.Layer) & { readonly className: string };

const { classNameMap } = serialization.SerializationMap.getMap();
const own = ['Add', 'Multiply', 'Average', 'Maximum', 'Minimum'].map(
  (name) => [name, classNameMap[name]![0] as unknown as LayerClass] as const,
);

/** TensorFlow.js has null and undefined for none. */
type Masks = ReadonlyArray<Tensor | null | undefined>;

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
export const MERGED_BY_2: Readonly<Record<string, LayerClass>> = mergingAll('Of2', all);

/** The same of Keras 3. */
export const MERGED_BY_3: Readonly<Record<string, LayerClass>> = mergingAll('Of3', some);

const rescaling = classNameMap.Rescaling![0] as unknown as LayerClass;

/** The same of the operations of Keras 3 (`x + y`), and of those with a number: they hand no mask on. */
export const UNMASKED: Readonly<Record<string, LayerClass>> = {
  ...mergingAll('Unmasked', () => undefined),
  Rescaling: merging(rescaling, 'PlumblineRescalingUnmasked', () => undefined),
};
