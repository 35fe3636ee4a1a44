import assert from 'node:assert/strict';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { traceableModel } from '../../../convert/model_conversion.ts';
import { trace } from '../../../convert/trace.ts';
import { compare } from '../../../convert/verify.ts';

/** As for all layers: see layers.test.ts. */
const RELATIVE = 1e-4;

/** The converted file, and the model as it is traced, against a definition of what it must compute. */
export async function assertComputes(
  model: LayersModel,
  definition: (...x: Tensor[]) => Tensor,
): Promise<void> {
  const { fn, inputs, outputNames } = traceableModel(model);
  const file = trace(fn, inputs);
  const defined = (...x: Tensor[]) => ({ [outputNames[0]!]: definition(...x) });
  for (const reference of [defined, fn]) {
    const { relative } = await compare(reference, file, inputs, { range: [-1, 1] });
    assert.ok(relative <= RELATIVE, `relative difference ${relative}`);
  }
}
