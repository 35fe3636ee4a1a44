/** Reads a layers model by TensorFlow.js, so that whatever fails names the layer. */
import { type io, serialization } from '@tensorflow/tfjs-core';
import { type LayersModel, LayerVariable, layers, loadLayersModel } from '@tensorflow/tfjs-layers';
import { correctOutputShapes } from './output_shapes.ts';
import { layerPlace, type Place, placed } from './place.ts';

/** @throws Error that names the layer which TensorFlow.js could not make. */
export async function loadLayers(artifacts: io.ModelArtifacts): Promise<LayersModel> {
  const undo = [correctOutputShapes(), nameWhatFails()];
  try {
    return await loadLayersModel({ load: async () => artifacts });
  } finally {
    for (const step of undo.reverse()) step();
  }
}

/** What helps against a layer that cannot be made. */
const SETTINGS =
  'TensorFlow.js cannot make it of its settings in model.json: correct them in the program that made the model, or save that as a ' +
  'graph model';

type FromConfig = (cls: object, config: { name?: string }, ...rest: unknown[]) => unknown;

/** What makes a layer, connects it or takes a weight names it in its errors, until the returned function is called. */
function nameWhatFails(): () => void {
  const undo: Array<() => void> = [];
  const { classNameMap } = serialization.SerializationMap.getMap();
  for (const [className, entry] of Object.entries(classNameMap)) {
    if (!isLayerClass(className)) continue;
    const fromConfig = entry[1] as FromConfig;
    const naming: FromConfig = (cls, config, ...rest) =>
      within(layerPlace(`${config.name}`, className, SETTINGS), () => fromConfig(cls, config, ...rest));
    entry[1] = naming as never;
    undo.push(() => {
      entry[1] = fromConfig as never;
    });
  }
  const { apply } = layers.Layer.prototype;
  layers.Layer.prototype.apply = function (this: layers.Layer, ...given) {
    return within(layerPlace(this.name, this.getClassName()), () => apply.apply(this, given));
  };
  const { write } = LayerVariable.prototype;
  LayerVariable.prototype.write = function (this: LayerVariable, value) {
    return within(weightPlace(this.originalName), () => write.call(this, value));
  };
  undo.push(() => {
    layers.Layer.prototype.apply = apply;
    LayerVariable.prototype.write = write;
  });
  return () => {
    for (const step of undo) step();
  };
}

function weightPlace(name: string): Place {
  return { name: `weight ${name}`, instead: 'The weight files are of another model; save the model again' };
}

function within<T>(place: Place, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw placed(place, cause);
  }
}

/** Whether a class of this name is registered as a layer, or as a cell of a recurrent one. */
export function isLayerClass(name: string): boolean {
  const prototype = serialization.SerializationMap.getMap().classNameMap[name]?.[0].prototype;
  return prototype instanceof layers.Layer || prototype instanceof layers.RNNCell;
}
