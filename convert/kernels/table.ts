import { ARITHMETIC } from './arithmetic.ts';
import { BLOCKS } from './blocks.ts';
import { CONVOLUTION } from './conv.ts';
import { CONVOLUTION_GRADIENTS } from './convolution_gradients.ts';
import { CROP } from './crop.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { EMBEDDED } from './embedded.ts';
import type { HandlerTable } from './handler.ts';
import { INDEX } from './indexing.ts';
import { LOOP } from './loop.ts';
import { MATRIX } from './matrix.ts';
import { MORPHOLOGY } from './morphology.ts';
import { NORM } from './norm.ts';
import { PAD } from './pad.ts';
import { POOL } from './pool.ts';
import { REDUCE } from './reduce.ts';
import { RESIZE } from './resize.ts';
import { SCATTER } from './scatter.ts';
import { SHAPE } from './shape.ts';
import { VOLUME_GRADIENTS } from './volume_gradients.ts';
import { VOLUMES } from './volumes.ts';

/** Every TensorFlow.js kernel that has a translation to ONNX. Training and export both read this one table. */
export const KERNELS: HandlerTable = {
  ...ELEMENTWISE,
  ...ARITHMETIC,
  ...REDUCE,
  ...SHAPE,
  ...PAD,
  ...INDEX,
  ...MATRIX,
  ...CONVOLUTION,
  ...CONVOLUTION_GRADIENTS,
  ...POOL,
  ...RESIZE,
  ...NORM,
  ...VOLUMES,
  ...VOLUME_GRADIENTS,
  ...BLOCKS,
  ...SCATTER,
  ...CROP,
  ...MORPHOLOGY,
  ...LOOP,
  ...EMBEDDED,
};
