/** Settings that a saved model has no use for: first values of its weights, which are read, and what training goes by. */
import { type io, serialization } from '@tensorflow/tfjs-core';
import { type Fields, isFields, type Json } from './topology.ts';

/**
 * The same model without first values that TensorFlow.js lacks (Keras' `LecunNormal`, one of somebody's own), which it would
 * refuse, and without orthogonal ones, its default of recurrent cells: it draws them while it reads cells in a list, and fails
 * there without methods that only its full package puts on tensors ("flatten is not a function"). And without `unroll`: steps are
 * unrolled in any case, and TensorFlow.js says at each call that it passes over the setting.
 */
export function withoutSuperfluous(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const stays = (name: Json | undefined) =>
    typeof name !== 'string' || (name !== 'Orthogonal' && Object.hasOwn(classNameMap, name));
  return edited(artifacts, (key, value, className) => {
    if (key === 'unroll' && RECURRENT.includes(className)) return false;
    return key.endsWith('_initializer') && isFields(value) && !stays(value.class_name) ? ZEROS : value;
  });
}

const RECURRENT: readonly unknown[] = ['RNN', 'SimpleRNN', 'GRU', 'LSTM', 'ConvLSTM2D'];

const ZEROS: Fields = { class_name: 'Zeros', config: {} };

/** The same model without loss, optimizer, regularizers and constraints: whoever wrote those, inference computes none of them. */
export function withoutTraining({ trainingConfig: _, ...artifacts }: io.ModelArtifacts): io.ModelArtifacts {
  return edited(artifacts, (key, value) => (/_(regularizer|constraint)$/.test(key) ? null : value));
}

/** Every setting of the topology, as `edit` makes it; told is the class whose setting it is. */
function edited(
  artifacts: io.ModelArtifacts,
  edit: (key: string, value: Json, className: Json | undefined) => Json,
): io.ModelArtifacts {
  const walk = (value: Json, className?: Json): Json => {
    if (Array.isArray(value)) return value.map((entry) => walk(entry));
    if (!isFields(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, walk(edit(key, part, className), value.class_name)]),
    );
  };
  return { ...artifacts, modelTopology: walk(artifacts.modelTopology as Json) as object };
}
