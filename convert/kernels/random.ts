/** Operations of graph models that draw random numbers: recorded, these would be constants. */
export const RANDOM = [
  'RandomUniform',
  'RandomUniformInt',
  'RandomStandardNormal',
  'TruncatedNormal',
] as const;
