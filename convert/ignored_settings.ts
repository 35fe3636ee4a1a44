/** Settings of Keras' layers that TensorFlow.js passes over without a word: its results are not those of Keras then. */

/** By class, the value at which a setting says nothing; absent and null say nothing either. */
const SAYS_NOTHING: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ReLU: { negative_slope: 0, threshold: 0 },
  LayerNormalization: { rms_scaling: false },
  ...Object.fromEntries(
    ['Average', 'Max'].flatMap((kind) =>
      ['1D', '2D', '3D'].map((size) => [`Global${kind}Pooling${size}`, { keepdims: false }]),
    ),
  ),
};

/**
 * Looks through the topology of a layers model, models and wrapped layers within it included.
 * @throws Error naming the first layer with such a setting.
 */
export function refuseIgnoredSettings(topology: unknown): void {
  if (typeof topology !== 'object' || topology === null) return;
  const { class_name, config } = topology as {
    class_name?: unknown;
    config?: Record<string, unknown> | null;
  };
  for (const [setting, nothing] of Object.entries(SAYS_NOTHING[String(class_name)] ?? {})) {
    const value = config?.[setting] ?? nothing;
    if (value !== nothing)
      throw new Error(
        `layer ${config?.name} (${class_name}) has ${setting} ${value}, which TensorFlow.js passes over; save the model as a graph model`,
      );
  }
  for (const part of Object.values(topology)) refuseIgnoredSettings(part);
}
