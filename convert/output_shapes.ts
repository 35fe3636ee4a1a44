/** Layers whose output shape TensorFlow.js states wrongly, so that no layer can follow them. */
import { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

type Shape = Array<number | null>;
type Layer = layers.Layer;

/** By class name: for images `[N, height, width, channels]`, what Keras makes of them. */
const SHAPES: Readonly<Record<string, (layer: Layer, image: Shape) => Shape>> = {
  /** TensorFlow.js takes the batch for the height, and leaves it out. */
  Resizing: (layer, image) => {
    const { height, width } = layer.getConfig() as { height: number; width: number };
    return [image[0]!, height, width, image[3]!];
  },
  /** The same, and in inference the width stays as it is. */
  RandomWidth: (_, image) => image,
};

/** States the shapes of these layers as they are, for all models that are made until the returned function is called. */
export function correctOutputShapes(): () => void {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const undo = Object.entries(SHAPES).map(([name, shape]) => {
    const prototype = classNameMap[name]![0].prototype as Layer;
    const { computeOutputShape } = prototype;
    prototype.computeOutputShape = function (this: Layer, given) {
      const [image] = (Array.isArray(given[0]) ? given : [given]) as Shape[];
      return image!.length === 4 ? shape(this, image!) : computeOutputShape.call(this, given);
    };
    return () => {
      prototype.computeOutputShape = computeOutputShape;
    };
  });
  return () => {
    for (const step of undo) step();
  };
}
