/** Differences between an image and its reconstruction: what training minimises and what scores. */
import { z } from 'zod';

export const RESIDUALS = {
  squared: 'Squared error; its mean is the mean squared error (MSE).',
  absolute: 'Absolute error; its mean is the mean absolute error (MAE).',
  'cross-entropy': 'Binary cross-entropy of values in [0, 1] (BCE).',
  ssim: '1 - structural similarity, Gaussian window of 11 x 11, sigma 1.5 (Wang et al. 2004).',
  gradient: 'Absolute difference of the horizontal and vertical gradients.',
  perceptual: "Squared difference at the taps of a pretrained encoder, each channel's vector of unit length.",
} as const;

export const residual = z.enum(['squared', 'absolute', 'cross-entropy', 'ssim', 'gradient', 'perceptual']);

export type Residual = z.infer<typeof residual>;
