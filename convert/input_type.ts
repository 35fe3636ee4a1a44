/** Types of a model's inputs. */
import type { DataType } from './values.ts';

/**
 * The type under which an input is recorded: numbers of every precision are float32.
 * @throws Error for an input that holds no numbers.
 */
export function inputType(name: string, dtype: string | null | undefined): DataType {
  if (dtype === 'string' || dtype === 'complex64')
    throw new Error(
      `input ${name} holds ${dtype === 'string' ? 'strings' : 'complex numbers'}, and graphs made here hold real numbers ` +
        'alone. Turn it into such numbers before the model, and save the model from there on',
    );
  return dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
}
