/** From a decoded capture to the bytes that a graph sees. One definition, for device and trainer alike. */
import { z } from 'zod';

/** How a grey image becomes black and white: 0 and 255. */
export const thresholding = z
  .discriminatedUnion('method', [
    z.strictObject({
      method: z.literal('fixed'),
      value: z.int().min(0).max(254).default(127).describe('Grey values above this become 255.'),
    }),
    z.strictObject({ method: z.literal('otsu') }).describe('Otsu 1979: from the histogram of each image.'),
    z
      .strictObject({
        method: z.literal('adaptive'),
        radius: z.int().min(1).max(256).default(7).describe('Pixels of the neighbourhood to each side.'),
        offset: z
          .number()
          .min(-255)
          .max(255)
          .default(0)
          .describe('Grey values above the local mean minus this become 255.'),
      })
      .describe('By the mean of the neighbourhood of each pixel.'),
  ])
  .describe('Thresholding to black and white, after the resize. Grey input only.');

/** Which stored values of a grey DICOM image are shown, black to white. */
export const dicomWindow = z.union([
  z
    .enum(['file', 'range'])
    .describe(
      'file: the first window of the file, else its lookup table, else up to 8 bits as stored, else as range; range: from the least to the largest value of the frame.',
    ),
  z
    .strictObject({
      center: z.number().describe('In units after the rescale of the file, such as Hounsfield units.'),
      width: z.number().min(1).describe('In the same units.'),
    })
    .describe('The same window for every file.'),
]);

const place = (most: number) => ({
  left: z.number().min(0).max(most).describe('From the left side.'),
  top: z.number().min(0).max(most).describe('From the upper side.'),
  width: z.number().gt(0).max(most),
  height: z.number().gt(0).max(most),
});

/** A rectangle of the upright image. */
export const region = z.discriminatedUnion('unit', [
  z.strictObject({ unit: z.literal('percent'), ...place(100) }).describe('Shares of width and height.'),
  z
    .strictObject({ unit: z.literal('pixels'), ...place(65_535) })
    .describe('Of the image as stored, whatever its size.'),
]);

const steps = z.strictObject({
  dicom: z
    .strictObject({ window: dicomWindow.default('file') })
    .optional()
    .describe('How DICOM files become 8 bits a channel; files of other formats are not touched by it.'),
  width: z.int().min(8).max(4096).describe('Pixels.'),
  height: z.int().min(8).max(4096).describe('Pixels.'),
  channels: z.union([z.literal(1), z.literal(3)]).describe('1: grey, 3: sRGB.'),
  frames: z
    .int()
    .min(1)
    .max(32)
    .default(1)
    .describe(
      'Frames of one capture, evenly spaced over the pages of its file; a still counts as a sequence in which nothing moves.',
    ),
  mask: z
    .array(region)
    .min(1)
    .max(32)
    .optional()
    .describe(
      'Regions that are made black before anything else is done, such as a burned-in date; what lies beyond the image is left out.',
    ),
  crop: z
    .enum(['none', 'foreground'])
    .default('none')
    .describe('foreground: the box of what is brighter than the dark surround, before the resize.'),
  fit: z
    .enum(['fill', 'cover', 'contain'])
    .describe('fill: stretch to the size; cover: crop the overhang; contain: pad with black.'),
  kernel: z
    .enum(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'])
    .describe('Resampling kernel.'),
  stretch: z
    .strictObject({
      low: z.number().min(0).lt(50).default(1).describe('Percentile that becomes 0.'),
      high: z.number().gt(50).max(100).default(99).describe('Percentile that becomes 255.'),
    })
    .optional()
    .describe('Percentile stretch of contrast, over all channels and frames of the image together.'),
  thresholding: thresholding.optional(),
});

/** Window of a DICOM file, mask, crop, resize, channels, stretch, thresholding: applied in this order. */
export const preprocessing = steps.superRefine((spec, context) => {
  if (spec.thresholding !== undefined && spec.channels !== 1)
    context.addIssue({
      code: 'custom',
      path: ['channels'],
      message: `thresholding makes grey images black and white, but input.channels is ${spec.channels}. Set input.channels to 1, or leave thresholding out`,
    });
});

export type Preprocessing = z.infer<typeof preprocessing>;
export type Region = z.infer<typeof region>;
export type Thresholding = z.infer<typeof thresholding>;
export type DicomWindow = z.infer<typeof dicomWindow>;
