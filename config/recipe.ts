/** A training recipe: which model is fitted to which input, how, and how its threshold is set. */
import { z } from 'zod';
import { preprocessing } from './preprocessing.ts';
import { RESIDUALS, residual } from './residual.ts';
import { thresholdRule } from './threshold.ts';

const activation = z.enum(['relu', 'elu', 'tanh']).default('relu');
const filters = z
  .array(z.int().min(1).max(1024))
  .min(1)
  .max(8)
  .describe('Filters of each block; the decoder mirrors them.');
const latent = z.int().min(1).max(4096).describe('Numbers in the bottleneck.');
const beta = z.number().min(0).max(100).default(1).describe('Weight of the Kullback-Leibler divergence.');

/** Blocks of convolution and max pooling, mirrored by upsampling and convolution. */
const convolutional = {
  filters,
  pool: z
    .array(z.int().min(1).max(8))
    .optional()
    .describe('By how much each block reduces height and width; default: 2 for every block.'),
  convolutions: z.int().min(1).max(4).default(1).describe('Convolutions of each block.'),
  kernelSize: z.int().min(1).max(11).default(3),
  activation,
} as const;

/** How far features depart from those of good images. */
const detector = z
  .discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('autoencoder'),
        hidden: z.int().min(1).max(4096).default(128).describe('Units before and behind the bottleneck.'),
        bottleneck: z.int().min(1).max(1024).default(32),
        noise: z
          .number()
          .min(0)
          .max(10)
          .default(0.3)
          .describe('Standard deviation of the noise added to standardised features in training.'),
      })
      .describe('What a small denoising autoencoder cannot redraw.'),
    z
      .strictObject({
        kind: z.literal('gaussian'),
        above: z
          .number()
          .min(0)
          .max(1)
          .default(1)
          .describe('How much it counts that a feature is above its mean; below, it counts 1.'),
      })
      .describe('Every feature for itself.'),
    z
      .strictObject({ kind: z.literal('mahalanobis') })
      .describe('With the covariance of Ledoit and Wolf 2004.'),
    z
      .strictObject({
        kind: z.literal('pca'),
        directions: z.int().min(1).max(1024).default(40),
      })
      .describe('Mahalanobis distance along the main directions, and what lies beside them.'),
    z
      .strictObject({
        kind: z.literal('knn'),
        neighbours: z.int().min(1).max(100).default(3),
        memory: z.int().min(1).max(100_000).default(1000).describe('Images remembered at most.'),
      })
      .describe('Distance to the nearest good images; the bundle then holds features of training images.'),
    z
      .strictObject({
        kind: z.literal('places'),
        places: z.int().min(2).max(4096).default(196).describe('Places of the voice encoder-patches.'),
      })
      .describe('A Gaussian for every place; how far the most unusual places stand out from the others.'),
    z
      .strictObject({ kind: z.literal('padim') })
      .describe(
        'A Gaussian for every place (Defard et al. 2021), for voices with places: texture and energy. The largest distance of a place; the bundle then holds features of training images.',
      ),
  ])
  .describe('Detector that a voice is followed by.');

/** What is looked at in every image. */
const voice = z.discriminatedUnion('voice', [
  z
    .strictObject({ voice: z.literal('sharpness'), detector })
    .describe('Log mean absolute Laplacian of the centre at three scales.'),
  z
    .strictObject({
      voice: z.literal('texture'),
      view: z.enum(['foreground', 'centre']),
      threshold: z
        .number()
        .gt(0)
        .max(10)
        .describe('Least difference that counts, as a share of the mean difference in good images.'),
      detector,
    })
    .describe('Local binary patterns at three scales.'),
  z
    .strictObject({ voice: z.literal('energy'), detector })
    .describe('Log oriented energy of a Gabor pyramid; with colour where the images have it.'),
  z
    .strictObject({
      voice: z.literal('encoder'),
      tap: z.string().optional().describe('Layer whose output is looked at; default: the last one.'),
      detector,
    })
    .describe(
      'What model.encoder makes of the middle of the foreground: mean and deviation of each feature over all places.',
    ),
  z
    .strictObject({
      voice: z.literal('encoder-patches'),
      taps: z
        .array(z.string())
        .min(1)
        .optional()
        .describe("Layers that are looked at together; default: the encoder's own choice."),
      detector,
    })
    .describe('What model.encoder makes of each of 14 x 14 places of the foreground.'),
]);

export const model = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('conv'),
      ...convolutional,
      latent: latent.optional().describe('Width of a dense bottleneck; default: none, the last block is it.'),
    })
    .describe('Convolution and max pooling, mirrored by upsampling and convolution.'),
  z
    .strictObject({
      kind: z.literal('conv-bn'),
      ...convolutional,
      latent: latent.optional().describe('Width of a dense bottleneck; default: none, the last block is it.'),
    })
    .describe('As conv, with batch normalization after every convolution (Ioffe and Szegedy 2015).'),
  z
    .strictObject({
      kind: z.literal('dense'),
      units: z
        .array(z.int().min(1).max(8192))
        .min(1)
        .max(8)
        .default([256, 32])
        .describe('Width of each layer of the encoder.'),
      activation,
    })
    .describe('Dense layers, mirrored; the last width is the bottleneck.'),
  z
    .strictObject({
      kind: z.literal('vae'),
      ...convolutional,
      latent: latent.default(16),
      beta,
    })
    .describe('Variational autoencoder (Kingma and Welling 2014); scores by the mean of the posterior.'),
  z
    .strictObject({
      kind: z.literal('convlstm'),
      filters,
      kernelSize: z.int().min(1).max(11).default(3),
    })
    .describe('Convolutional LSTM autoencoder (Shi et al. 2015) over input.frames frames.'),
  z
    .strictObject({
      kind: z.literal('pretrained'),
      encoder: z
        .string()
        .describe('Name (see `trainer encoder list`), or path of a TensorFlow.js model or ONNX file.'),
      tap: z.string().optional().describe('Layer whose output is decoded; default: the last one.'),
      decoder: z.enum(['conv', 'conv-bn', 'vae']).default('conv'),
      filters,
      convolutions: convolutional.convolutions,
      kernelSize: convolutional.kernelSize,
      activation,
      latent: latent.optional().describe('Only of the decoder vae; default 64.'),
      beta,
    })
    .describe('Frozen pretrained encoder with a trained convolutional decoder.'),
  z
    .strictObject({
      kind: z.literal('patch-transformer'),
      patch: z.int().min(2).max(64).default(8).describe('Side of a patch in pixels.'),
      width: z.int().min(8).max(1024).default(64).describe('Numbers of each token.'),
      depth: z.int().min(1).max(12).default(2).describe('Transformer blocks of the encoder.'),
      heads: z.int().min(1).max(16).default(4),
      latent: latent
        .default(8)
        .describe('Numbers that each token is squeezed to between encoder and decoder.'),
      mask: z
        .number()
        .min(0)
        .max(0.9)
        .default(0.5)
        .describe('Share of patches hidden in training, as in He et al. 2022.'),
    })
    .describe('Small transformer autoencoder over patches, some of them masked in training.'),
  z
    .strictObject({
      kind: z.literal('voices'),
      voices: z.array(voice).min(1).max(16),
      encoder: z
        .string()
        .optional()
        .describe(
          'Name of a pretrained encoder (see `trainer encoder list`), or path of a TensorFlow.js model or ONNX file; brings the voices of encoderVoices.',
        ),
      encoderVoices: z
        .array(voice)
        .max(16)
        .default([])
        .describe('Voices that are added where model.encoder is set.'),
    })
    .describe('Several features, each with a detector; their robust z are summed up to one score.'),
]);

export const recipe = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[a-z0-9-]+$/),
  description: z.string(),
  intendedUse: z.string(),
  leavesOut: z
    .string()
    .optional()
    .describe('What the default leaves out of the published setting, and the option that restores it.'),
  input: preprocessing,
  model,
  residual: residual.describe(
    `Score. ${Object.entries(RESIDUALS)
      .map(([name, meaning]) => `${name}: ${meaning}`)
      .join(' ')}`,
  ),
  loss: residual.optional().describe('What training minimises; default: the residual.'),
  perceptual: z
    .strictObject({
      encoder: z.string().default('efficientnet-lite0'),
      taps: z
        .array(z.string())
        .min(1)
        .optional()
        .describe("Layers compared; default: the encoder's own choice."),
    })
    .optional()
    .describe('Only of the residual or loss perceptual.'),
  optimizer: z.strictObject({
    kind: z.enum(['adam', 'sgd']),
    learningRate: z.number().gt(0).max(10),
  }),
  epochs: z.int().min(1).max(100_000),
  batchSize: z.int().min(1).max(4096),
  split: z.strictObject({
    validation: z.number().gt(0).lt(0.5).default(0.1).describe('Share of images that choose the epoch.'),
    calibration: z
      .number()
      .gt(0)
      .lt(0.8)
      .default(0.2)
      .describe(
        'Share of images that set the threshold; raised to what alpha needs when the folder is small.',
      ),
    folds: z
      .int()
      .min(2)
      .max(20)
      .optional()
      .describe(
        'Of voices, in place of validation and calibration: all images train, and each calibrates as scored by models that did not see its fold (cross-conformal, Vovk 2015).',
      ),
    tuning: z
      .number()
      .min(0)
      .max(0.8)
      .default(0)
      .describe(
        'Share of labelled images set aside from the test: their error is told after every epoch, and the rule f1 sets the threshold by them. They choose nothing else.',
      ),
    groupBy: z
      .string()
      .optional()
      .describe(
        'Regular expression whose first group, in the name of an image, is its patient: a patient is never on two sides.',
      ),
  }),
  threshold: thresholdRule,
  anomalies: z
    .array(z.strictObject({ name: z.string(), folder: z.string() }))
    .optional()
    .describe('Folders of anomalies, relative to the folder of images, tested on where they are there.'),
});

export type Recipe = z.infer<typeof recipe>;
export type Model = z.infer<typeof model>;
