import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { LAYER_FORMS } from './layer_forms.ts';
import { computeMasked, isModel, makesMasks } from './masked_models.ts';
import { layerPlace, type Place } from './place.ts';

type Layer = layers.Layer;

/**
 * Runs `action` while the layers of `model` (and of the models and wrappers within) are as they are in inference:
 * nothing is random, nothing reads a value, and a stateful recurrent layer begins each call with zeros. `watch` is told
 * which layer is being computed.
 */
export function inInferenceForm<T>(
  model: LayersModel,
  watch: (layer: Place | undefined) => void,
  action: () => T,
): T {
  const undo: Array<() => void> = [];
  const masked = makesMasks(model);
  let current: Place | undefined;
  const enter = (layer: Place | undefined) => {
    current = layer;
    watch(layer);
  };
  try {
    for (const [layer, place] of allLayers(model.layers)) {
      const call =
        masked && isModel(layer)
          ? withItsMask(layer)
          : (LAYER_FORMS[layer.getClassName()]?.(layer) ?? layer.call);
      const watched: Layer['call'] = (inputs, kwargs) => {
        const outer = current;
        enter(layerPlace(layer.name, layer.getClassName()));
        const result = call.call(layer, inputs, kwargs);
        enter(outer); // not where the layer fails: an error comes from the innermost
        if (place === 'model') forget(kwargs);
        return result;
      };
      undo.push(replace(layer, 'call', watched));
      if (Object.hasOwn(layer, '_stateful')) undo.push(replace(layer, '_stateful', false));
      // A cell keeps the mask of its first call, whose batch may be another one.
      for (const name of ['dropout', 'recurrentDropout'])
        if (place === 'cell' && Object.hasOwn(layer, name)) undo.push(replace(layer, name, 0));
    }
    return action();
  } finally {
    for (const step of undo.reverse()) step();
  }
}

/** For wrappers, which call a model as any layer. */
function withItsMask(model: LayersModel): Layer['call'] {
  return (inputs, { mask }: { mask?: Tensor | null }) =>
    computeMasked(model, [inputs].flat() as Tensor[], [mask]);
}

/** Where a layer is called from: a model's list, a wrapper, or (a cell) the loop of a recurrent layer. */
type CalledFrom = 'model' | 'wrapper' | 'cell';

/** Layers, and those inside of nested models, wrappers and recurrent layers. */
function allLayers(list: readonly Layer[], place: CalledFrom = 'model'): Map<Layer, CalledFrom> {
  return new Map(
    list.flatMap((layer) => {
      // TensorFlow.js declares none of these on Layer.
      const { layer: wrapped, forwardLayer, backwardLayer, layers = [], cell, cells = [] } = layer as Nesting;
      const given = (...parts: Array<Layer | undefined>) => parts.filter((part) => part !== undefined);
      return [
        [layer, place] as const,
        ...allLayers(given(wrapped, forwardLayer, backwardLayer), 'wrapper'),
        ...allLayers(layers, 'model'),
        ...allLayers(given(cell, ...cells), 'cell'),
      ];
    }),
  );
}

interface Nesting extends Layer {
  layer?: Layer;
  forwardLayer?: Layer;
  backwardLayer?: Layer;
  layers?: Layer[];
  cell?: Layer;
  cells?: Layer[];
}

/**
 * TensorFlow.js hands one object on from layer to layer, so that a mask or a first state which one layer was given reaches
 * all that come later. For Keras it is that layer's alone.
 */
function forget(kwargs: Record<string, unknown>): void {
  for (const name of Object.keys(kwargs)) if (name !== 'training') delete kwargs[name];
}

/** Sets a property of its own on the layer; the returned function puts back what was there. */
function replace(layer: Layer, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(layer, name);
  Object.defineProperty(layer, name, { value, configurable: true, writable: true });
  return () => {
    if (before) Object.defineProperty(layer, name, before);
    else delete (layer as unknown as Record<string, unknown>)[name];
  };
}
