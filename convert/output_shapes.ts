/** Layers whose output shape TensorFlow.js states wrongly, so that no layer can follow them. */
import { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

type Shape = Array<number | null>;
type Layer = layers.Layer;

/** By class name: for images `[N, height, width, channels]`, what Keras makes of them; null where TensorFlow.js knows. */
const SHAPES: Readonly<Record<string, ((layer: Layer, image: Shape) => Shape) | null>> = {
  /** TensorFlow.js takes the batch for the height, and leaves it out. */
  Resizing: (layer, image) => {
    const { height, width } = layer.getConfig() as { height: number; width: number };
    return [image[0]!, height, width, image[3]!];
  },
  /** TensorFlow.js writes it into the shape that it was given, which is that of the model's input. */
  CenterCrop: null,
  CategoryEncoding: null,
  /** As of Resizing, and in inference the width stays as it is. */
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
      if (shape !== null && image!.length === 4) return shape(this, image!);
      return computeOutputShape.call(this, structuredClone(given));
    };
    return () => {
      prototype.computeOutputShape = computeOutputShape;
    };
  });
  return () => {
    for (const step of undo) step();
  };
}
