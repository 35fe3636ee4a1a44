/** How a threshold is derived from calibration scores: the rules and their parameters. */
import { z } from 'zod';

/** Share of good captures that may be called for review by mistake, in (0, 1). */
const alpha = z.number().gt(0).lt(1).describe('Promised share of false alarms among good captures.');

/** Rules that a device can apply on its own: they need the calibration scores only. */
export const settableRule = z
  .discriminatedUnion('rule', [
    z
      .strictObject({
        rule: z.literal('conformal'),
        alpha: alpha.default(0.05),
      })
      .describe(
        'Reviews scores as rare among calibration scores as alpha: at most that share of false alarms (Vovk et al. 2005).',
      ),
    z
      .strictObject({
        rule: z.literal('mean-std'),
        k: z.number().min(-100).max(100).default(1).describe('Standard deviations above the mean.'),
      })
      .describe('Mean plus k standard deviations of the calibration scores.'),
    z
      .strictObject({
        rule: z.literal('quantile'),
        q: z.number().gt(0).lt(1).default(0.95).describe('Quantile of the calibration scores.'),
      })
      .describe('A quantile of the calibration scores.'),
    z
      .strictObject({
        rule: z.literal('z-score'),
        k: z
          .number()
          .gt(0)
          .max(100)
          .default(3)
          .describe('Standard deviations from the mean, to both sides: too small a score departs as well.'),
      })
      .describe('Mean plus and minus k standard deviations of the calibration scores: two-sided.'),
    z
      .strictObject({
        rule: z.literal('mad'),
        k: z
          .number()
          .min(-100)
          .max(100)
          .default(3)
          .describe('Robust standard deviations (1.4826 median absolute deviation) above the median.'),
      })
      .describe('Median plus k robust standard deviations of the calibration scores.'),
    z
      .strictObject({
        rule: z.literal('fixed'),
        value: z.number().describe('Scores above this value are called for review.'),
      })
      .describe('A value given by hand.'),
  ])
  .describe('Rule by which the threshold follows from the calibration scores.');

/** All rules: those of a device, and those that need labelled images, so that only the trainer can apply them. */
export const thresholdRule = z
  .discriminatedUnion('rule', [
    ...settableRule.options,
    z
      .strictObject({
        rule: z.literal('f1'),
      })
      .describe('The threshold with the best F1 on the labelled images set aside for tuning.'),
  ])
  .describe('Rule by which the threshold follows from the calibration scores, or from labelled images.');

export type ThresholdRule = z.infer<typeof thresholdRule>;

/** A rule together with the bounds that it gave: a score outside `[lower, upper]` is called for review. */
export const threshold = z.strictObject({
  rule: thresholdRule,
  upper: z.number().describe('Scores above this are called for review.'),
  lower: z.number().nullable().describe('Scores below this are called for review; null: no lower bound.'),
  revision: z
    .int()
    .min(1)
    .describe('Counts up with every change on this device; 1 is the bundle as delivered.'),
});

export type Threshold = z.infer<typeof threshold>;
