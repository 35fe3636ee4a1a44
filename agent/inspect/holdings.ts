/** What of the images that it was made from a bundle carries along. */
import type { Manifest } from '../../config/bundle.ts';

/** In words; what comes from patients is named first. */
export function whatItHolds({ golden, provenance: { remembers } }: Manifest): string {
  return [
    ...(golden.real ? [`${golden.samples.length} training images, as golden samples`] : []),
    ...(remembers === undefined ? [] : [`features of training images (${remembers.join(', ')})`]),
    'weights, statistics and calibration scores',
  ].join('; ');
}
