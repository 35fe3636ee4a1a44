/** Weights of recurrent layers over a list of cells: Keras names the cells, TensorFlow.js numbers them. */
import type { io } from '@tensorflow/tfjs-core';
import { type Fields, fieldsOf, isFields, type Json, listOf } from './topology.ts';

/** The same model with weights of such cells under the names `layer/RNNCell_0/kernel`. */
export function withNumberedCells(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  const cells = new Map(stackedCells(artifacts.modelTopology as Fields));
  if (cells.size === 0) return artifacts;
  const weightSpecs = (artifacts.weightSpecs ?? []).map((spec) => {
    const parts = spec.name.split('/');
    const i = cells.get(parts[0]!)?.indexOf(parts.at(-2)!) ?? -1;
    return i === -1 ? spec : { ...spec, name: [parts[0], `RNNCell_${i}`, parts.at(-1)].join('/') };
  });
  return { ...artifacts, weightSpecs };
}

/** The names of the cells of each recurrent layer over a list of them, by the name of the layer. */
function stackedCells(value: Json): [layer: string, cells: string[]][] {
  if (Array.isArray(value)) return value.flatMap(stackedCells);
  if (!isFields(value)) return [];
  const config = fieldsOf(value.config);
  const cells = listOf(fieldsOf(fieldsOf(config.cell).config).cells);
  if (cells.length === 0) return Object.values(value).flatMap(stackedCells);
  return [[String(config.name), cells.map((cell) => String(fieldsOf(fieldsOf(cell).config).name))]];
}
