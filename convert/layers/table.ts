/** Layers of Keras that are computed here: what TensorFlow.js lacks, and what it computes otherwise. */
import { serialization } from '@tensorflow/tfjs-core';
import type { Fields } from '../topology.ts';
import { registerActivations } from './activations.ts';
import { AdditiveAttention, Attention, MultiHeadAttention } from './attention.ts';
import {
  Conv1DTranspose,
  Conv2DTranspose,
  Conv3DTranspose,
  DepthwiseConv1D,
  SeparableConv1D,
} from './convolution.ts';
import { EinsumDense } from './einsum.ts';
import { MaskOf } from './mask.ts';
import { MERGED_BY_2, MERGED_BY_3, UNMASKED } from './merge.ts';
import { GroupNormalization, RMSNormalization, UnitNormalization } from './normalization.ts';
import { ResetAfterCell, ResetAfterGRU } from './recurrent.ts';
import { Discretization, ELU, ProportionalCrop, ReLU, Subtract, Unchanged } from './simple.ts';
import { Cropping, GlobalAveragePooling, GlobalMaxPooling, UpSampling, ZeroPadding } from './space.ts';

interface LayerClass {
  readonly className: string;
}

/** Nothing but their inputs in inference. */
const UNCHANGED = [
  ...['Identity', 'ActivityRegularization', 'SpatialDropout2D', 'SpatialDropout3D'],
  ...['AugMix', 'CutMix', 'MixUp', 'RandAugment', 'RandomApply', 'RandomBrightness'],
  ...['RandomColorDegeneration', 'RandomColorJitter', 'RandomContrast', 'RandomElasticTransform'],
  ...['RandomErasing', 'RandomFlip', 'RandomGaussianBlur', 'RandomGrayscale', 'RandomHeight', 'RandomHue'],
  ...['RandomInvert', 'RandomPerspective', 'RandomPosterization', 'RandomRotation', 'RandomSaturation'],
  ...['RandomSharpness', 'RandomShear', 'RandomTranslation', 'RandomZoom'],
] as const;

/** By class, what TensorFlow.js lacks. */
export const LACKING: Readonly<Record<string, LayerClass>> = {
  AdditiveAttention,
  Attention,
  Conv1DTranspose,
  Cropping1D: Cropping,
  Cropping3D: Cropping,
  DepthwiseConv1D,
  Discretization,
  EinsumDense,
  GlobalAveragePooling3D: GlobalAveragePooling,
  GlobalMaxPooling3D: GlobalMaxPooling,
  GroupNormalization,
  MultiHeadAttention,
  RMSNormalization,
  RandomCrop: ProportionalCrop,
  SeparableConv1D,
  Subtract,
  UnitNormalization,
  UpSampling1D: UpSampling,
  UpSampling3D: UpSampling,
  ZeroPadding1D: ZeroPadding,
  ZeroPadding3D: ZeroPadding,
  ...Object.fromEntries(UNCHANGED.map((name) => [name, Unchanged])),
};

interface Otherwise {
  readonly layer: LayerClass;
  /** Whether TensorFlow.js does not compute a layer of these settings, saved by Keras of this version (or, empty, by another). */
  readonly when: (config: Fields, version: string) => boolean;
}

const resetAfter = (config: Fields) => config.reset_after === true;

/** TensorFlow.js writes down gaps in the windows, and passes over them: what it trained stays so. */
const transposedOtherwise = ({ output_padding, dilation_rate }: Fields, version: string) =>
  (output_padding ?? null) !== null ||
  (version !== '' && [dilation_rate ?? 1].flat().some((rate) => rate !== 1));

/** By class, what is computed otherwise with some settings. */
export const OTHERWISE: Readonly<Record<string, Otherwise>> = {
  GRU: { layer: ResetAfterGRU, when: resetAfter },
  GRUCell: { layer: ResetAfterCell, when: resetAfter },
  Conv2DTranspose: { layer: Conv2DTranspose, when: transposedOtherwise },
  Conv3DTranspose: { layer: Conv3DTranspose, when: transposedOtherwise },
  ReLU: {
    layer: ReLU,
    when: ({ negative_slope, threshold }) => Boolean(negative_slope) || Boolean(threshold),
  },
  ELU: { layer: ELU, when: ({ alpha }) => (alpha ?? 1) !== 1 },
  /** Keras 3 crops in training alone. */
  RandomCrop: { layer: Unchanged, when: (_, version) => version.startsWith('3') },
};

/** Lets `tf.loadLayersModel` read models with these layers; doing it again changes nothing. */
export function registerOwnLayers(): void {
  registerActivations();
  const own = [
    MaskOf,
    ...Object.values(LACKING),
    ...Object.values(OTHERWISE).map(({ layer }) => layer),
    ...Object.values(MERGED_BY_2),
    ...Object.values(MERGED_BY_3),
    ...Object.values(UNMASKED),
  ];
  for (const layer of new Set(own)) serialization.registerClass(layer as never);
}
