/** Arithmetic between layers, which Keras 3 writes down as layers of its own: `x + 1` is an `Add` of a tensor and a number. */
import { UNMASKED } from './layers/merge.ts';
import { type Fields, fieldsOf, type Json, listOf } from './topology.ts';

/** By class: `number` is what a Rescaling does for it with the number behind the tensor, or before it. */
const ARITHMETIC: Readonly<
  Record<string, { behind: (n: number) => Fields; before?: (n: number) => Fields }>
> = {
  Add: { behind: (offset) => ({ scale: 1, offset }), before: (offset) => ({ scale: 1, offset }) },
  Subtract: {
    behind: (n) => ({ scale: 1, offset: -n }),
    before: (offset) => ({ scale: -1, offset }),
  },
  Multiply: { behind: (scale) => ({ scale, offset: 0 }), before: (scale) => ({ scale, offset: 0 }) },
  Divide: { behind: (n) => ({ scale: 1 / n, offset: 0 }) },
  TrueDivide: { behind: (n) => ({ scale: 1 / n, offset: 0 }) },
  Negative: { behind: () => ({ scale: -1, offset: 0 }) },
};

/** The layer as one that TensorFlow.js has, but for its mask, where it is such an operation. */
export function asLayer(layer: Fields): Fields {
  if (!String(layer.module).includes('.ops.')) return layer;
  const read = asRescaling(layer);
  const unmasked = UNMASKED[String(read.class_name)]?.className;
  return unmasked === undefined ? read : { ...read, class_name: unmasked };
}

/** The layer as a Rescaling, where it computes with a tensor and a number; its uses keep the tensor alone. */
function asRescaling(layer: Fields): Fields {
  const operation = ARITHMETIC[String(layer.class_name)];
  const uses = listOf(layer.inbound_nodes).map(fieldsOf);
  const [first, second] = listOf(uses[0]?.args);
  if (operation === undefined || uses.length !== 1) return layer;
  const negative = layer.class_name === 'Negative' && second === undefined ? 1 : second;
  const [number, tensor, settings] =
    typeof negative === 'number' ? [negative, first, operation.behind] : [first, second, operation.before];
  if (typeof number !== 'number' || settings === undefined || tensor === undefined) return layer;
  const { name } = fieldsOf(layer.config);
  const config: Fields = { ...settings(number), name: name ?? layer.name!, dtype: 'float32' };
  const use: Json = { args: [tensor], kwargs: {} };
  return { module: 'keras.layers', class_name: 'Rescaling', name: layer.name!, config, inbound_nodes: [use] };
}
