/** Settings of Keras' layers that TensorFlow.js passes over without a word or refuses without the layer's name. */
import { type Fields, fieldsOf, isFields, isOfKeras, type Json } from './topology.ts';

/** By class, the value at which a setting says nothing; absent and null say nothing either. */
type Settings = Readonly<Record<string, Readonly<Record<string, Json>>>>;

const each = (classes: readonly string[], settings: Settings[string]): Settings =>
  Object.fromEntries(classes.map((name) => [name, settings]));

const SAYS_NOTHING: Settings = {
  LayerNormalization: { rms_scaling: false },
  ...each(['GlobalAveragePooling2D', 'GlobalMaxPooling2D'], { keepdims: false }),
  ...each(['GlobalAveragePooling1D', 'GlobalMaxPooling1D'], {
    keepdims: false,
    data_format: 'channels_last',
  }),
  ...each(['Conv2DTranspose', 'Conv3DTranspose'], { dilation_rate: 1 }),
  ...each(['Conv1D', 'Conv3D'], { groups: 1 }),
  ConvLSTM2D: { zero_output_for_mask: false },
};

/** The same, of what means something else to TensorFlow.js: only where Keras saved the model. */
const SAYS_NOTHING_TO_KERAS: Settings = {
  Resizing: {
    crop_to_aspect_ratio: false,
    pad_to_aspect_ratio: false,
    antialias: false,
    data_format: 'channels_last',
  },
};

/** A sentence for each layer with such a setting; models and wrapped layers within are looked through, too. */
export function ignoredSettings(topology: unknown): string[] {
  const ofKeras = isOfKeras(fieldsOf(topology as Json));
  return ignoredIn(topology as Json, ofKeras ? { ...SAYS_NOTHING, ...SAYS_NOTHING_TO_KERAS } : SAYS_NOTHING);
}

function ignoredIn(part: Json, settings: Settings): string[] {
  if (Array.isArray(part)) return part.flatMap((entry) => ignoredIn(entry, settings));
  if (!isFields(part)) return [];
  const config: Fields = fieldsOf(part.config);
  const own = Object.entries(settings[String(part.class_name)] ?? {}).flatMap(([setting, nothing]) => {
    const value = config[setting] ?? nothing;
    if ([value].flat().every((one) => one === nothing)) return [];
    return [
      `layer ${config.name} (${part.class_name}) has ${setting} ${value}, which TensorFlow.js passes over or ` +
        'cannot compute; save the model as a graph model',
    ];
  });
  return [...own, ...Object.values(part).flatMap((entry) => ignoredIn(entry, settings))];
}
