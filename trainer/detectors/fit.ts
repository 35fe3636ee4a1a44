/** One entry for each kind of detector. */
import { type AutoencoderOptions, fitAutoencoders } from './autoencoder.ts';
import type { FitDetector, FitDetectors } from './detector.ts';
import { fitGaussian, type GaussianOptions } from './gaussian.ts';
import { fitKnn, type KnnOptions } from './knn.ts';
import { fitMahalanobis } from './mahalanobis.ts';
import { fitPadim } from './padim.ts';
import { fitPca, type PcaOptions } from './pca.ts';
import { fitPlaces, type PlacesOptions } from './places.ts';

export type DetectorOptions =
  | AutoencoderOptions
  | GaussianOptions
  | PcaOptions
  | KnnOptions
  | PlacesOptions
  | { readonly kind: 'mahalanobis' }
  | { readonly kind: 'padim' };

type Kind = DetectorOptions['kind'];

const FITS: { readonly [K in Kind]: FitDetectors<Extract<DetectorOptions, { kind: K }>> } = {
  autoencoder: fitAutoencoders,
  gaussian: each(fitGaussian),
  mahalanobis: each(fitMahalanobis),
  pca: each(fitPca),
  knn: each(fitKnn),
  places: each(fitPlaces),
  padim: each(fitPadim),
};

/** Fits the detector that `detector` describes to each set. Equal input gives equal detectors. */
export const fitDetectors: FitDetectors<DetectorOptions> = (sets, detector, options) =>
  // The entry of a kind takes just the options of that kind; TypeScript does not see it through the union.
  (FITS[detector.kind] as FitDetectors<DetectorOptions>)(sets, detector, options);

function each<Options>(fit: FitDetector<Options>): FitDetectors<Options> {
  return async function* (sets, detector, options) {
    return sets.map(({ features, name }) => fit(features, detector, { ...options, name }));
  };
}
