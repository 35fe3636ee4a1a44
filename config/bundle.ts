/** The manifest inside a bundle: everything an agent needs to know beside the graph itself. */
import { z } from 'zod';
import { preprocessing } from './preprocessing.ts';
import { residual } from './residual.ts';
import { threshold } from './threshold.ts';

/** Key of the manifest in the ONNX file's `metadata_props`. */
export const MANIFEST_KEY = 'plumbline';

/** A made image with the score it had on the workstation; proves the graph on the device's own execution provider. */
export const goldenSample = z.strictObject({
  png: z.base64().describe('PNG of exactly the input size.'),
  score: z.number(),
});

/** A further number that the graph gives for each image: a column of its output `voices` or `statistics`. */
export const measurement = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/)
    .describe('Known names have sentences of their own: config/evidence.ts.'),
});

export type Measurement = z.infer<typeof measurement>;

/** Of each voice or statistic, by name. */
const calibrationValues = z.record(z.string(), z.array(z.number()).min(1)).optional();

export const manifest = z.strictObject({
  format: z.literal(1),
  name: z.string().min(1).max(100),
  version: z.string().min(1).max(40),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .describe(
      'SHA-256 over the serialised model without this manifest, followed by this manifest without the digest.',
    ),
  intendedUse: z.string(),
  preprocessing,
  residual: residual.describe('Residual between the input, or its features, and the reconstruction.'),
  score: z
    .enum(['mean', 'voices'])
    .describe(
      'How the residuals of one image become its score. mean: their mean. voices: the sum over all voices of softplus(z) squared, z being the robust z of the logarithm of what the voice says, each times its weight where examples gave weights (provenance).',
    ),
  voices: z
    .array(measurement)
    .max(64)
    .optional()
    .describe(
      "Columns of the graph's output `voices`, float32 [N, V]: how far each part of what is looked at departs from good images, as a robust z, larger is more anomalous.",
    ),
  statistics: z
    .array(measurement)
    .max(64)
    .optional()
    .describe(
      "Columns of the graph's output `statistics`, float32 [N, S]: simple quantities such as brightness.",
    ),
  calibration: z.strictObject({
    scores: z
      .array(z.number())
      .min(1)
      .describe('Scores of good images that training never saw, ascending, through the device code path.'),
    groups: z
      .int()
      .min(1)
      .optional()
      .describe(
        'Groups that those images form (a patient, one picture saved twice); default: each stands alone.',
      ),
    voices: calibrationValues.describe('Values of each voice on those images, ascending.'),
    statistics: calibrationValues.describe('Values of each statistic on those images, ascending.'),
    mapAlarm: z
      .number()
      .gt(0)
      .describe(
        'Map value drawn in the alarm colour: 95th percentile of the largest map values of calibration images.',
      ),
  }),
  threshold,
  golden: z.strictObject({
    real: z
      .literal(true)
      .optional()
      .describe(
        'The samples are training images, as `trainer fit --golden real` takes them; absent: they are made.',
      ),
    tolerance: z.number().gt(0).describe('Largest relative difference between expected and measured score.'),
    samples: z.array(goldenSample).min(1),
  }),
  provenance: z.strictObject({
    recipe: z.record(z.string(), z.unknown()).describe('The resolved recipe.'),
    data: z.strictObject({
      train: z.int(),
      validation: z.int(),
      calibration: z.int(),
      refused: z.int(),
      duplicates: z.int(),
      digest: z.string().describe('SHA-256 over the sorted content hashes of all images used.'),
    }),
    seed: z.int(),
    epochs: z.int().describe('Epochs run.'),
    bestEpoch: z.int().describe('Epoch whose weights were kept (lowest validation loss), counted from 1.'),
    validationLoss: z.number(),
    backend: z.string(),
    trainer: z.string().describe('Version of the trainer.'),
    remembers: z
      .array(z.string())
      .min(1)
      .optional()
      .describe(
        'Voices with their detector, knn or padim, that holds features of training images; absent: the bundle holds weights, statistics and calibration scores only.',
      ),
    encoder: z
      .strictObject({
        name: z.string(),
        source: z.string().describe('Where its weights come from.'),
        licence: z.string(),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .describe('Of the weights as fetched or given.'),
      })
      .nullable()
      .default(null)
      .describe('The pretrained encoder that the graph holds; null: none.'),
    quantization: z
      .strictObject({
        kind: z.literal('int8'),
        layers: z.int().min(1).describe('Convolutions in integers.'),
        float: z.array(z.string()).describe('Those that stay in float32, by the tensors that they give.'),
      })
      .optional()
      .describe('Convolutions are computed in 8-bit integers; absent: all in float32.'),
    examples: z
      .strictObject({
        images: z.int().min(1),
        digest: z.string().describe('SHA-256 over the sorted content hashes of the examples.'),
        weights: z.record(z.string(), z.number().min(0)).describe('Of each voice, mean 1.'),
      })
      .optional()
      .describe('Poor images by which the voices were weighed.'),
    recalibration: z
      .strictObject({
        images: z.int().min(1).describe('Good images that the calibration now comes from.'),
        digest: z.string().describe('SHA-256 over the sorted content hashes of these images.'),
        from: z.string().describe('Digest of the bundle that was recalibrated; the weights are its own.'),
      })
      .optional()
      .describe(
        'Calibration and threshold come from other images than `data` tells, such as those of another site.',
      ),
  }),
});

export type Manifest = z.infer<typeof manifest>;
