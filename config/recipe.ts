/** A training recipe: which model is fitted to which input, how, and how its threshold is set. */
import { z } from 'zod';
import { preprocessing } from './bundle.ts';
import { thresholdRule } from './threshold.ts';

export const recipe = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[a-z0-9-]+$/),
  description: z.string(),
  intendedUse: z.string(),
  input: preprocessing,
  model: z.strictObject({
    kind: z.literal('conv').describe('Convolution and max pooling, mirrored by upsampling and convolution.'),
    filters: z
      .array(z.int().min(1).max(1024))
      .min(1)
      .max(6)
      .describe('Filters of each block; every block halves height and width.'),
    kernelSize: z.int().min(1).max(11).default(3),
    activation: z.enum(['relu', 'elu', 'tanh']).default('relu'),
  }),
  residual: z
    .enum(['squared', 'absolute'])
    .describe('Training loss and score: mean squared or mean absolute error.'),
  optimizer: z.strictObject({
    kind: z.enum(['adam', 'sgd']),
    learningRate: z.number().gt(0).max(10),
  }),
  epochs: z.int().min(1).max(100_000),
  batchSize: z.int().min(1).max(4096),
  split: z.strictObject({
    validation: z.number().gt(0).lt(0.5).describe('Share of images that choose the epoch.'),
    calibration: z
      .number()
      .gt(0)
      .lt(0.8)
      .describe(
        'Share of images that set the threshold; raised to what alpha needs when the folder is small.',
      ),
  }),
  threshold: thresholdRule,
});

export type Recipe = z.infer<typeof recipe>;
