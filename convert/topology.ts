/** The JSON in which Keras describes a model. */

export type Json = null | boolean | number | string | readonly Json[] | Fields;

export interface Fields {
  readonly [key: string]: Json;
}

export const isFields = (value: Json | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** None, where `value` is no object. */
export function fieldsOf(value: Json | undefined): Fields {
  return isFields(value) ? value : {};
}

/** None, where `value` is no list. */
export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Whether Keras saved the model of this topology, and not TensorFlow.js. */
export function isOfKeras({ keras_version: version }: Fields): boolean {
  return typeof version === 'string' && !version.startsWith('tfjs');
}
