/** First values of weights, which a saved model has no use for: its weights are read. */
import type { io } from '@tensorflow/tfjs-core';
import { isFields, type Json } from './topology.ts';

/**
 * The same model without orthogonal first values, TensorFlow.js' default of recurrent cells. It draws them while it reads
 * cells in a list, and fails there without methods that only its full package puts on tensors ("flatten is not a function").
 */
export function withoutOrthogonal(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  return { ...artifacts, modelTopology: replaced(artifacts.modelTopology as Json) as object };
}

function replaced(value: Json): Json {
  if (Array.isArray(value)) return value.map(replaced);
  if (!isFields(value)) return value;
  if (value.class_name === 'Orthogonal') return { class_name: 'Zeros', config: {} };
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, replaced(part)]));
}
