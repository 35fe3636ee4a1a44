/** One entry for each kind of detector. */
import { type AutoencoderOptions, fitAutoencoder } from './autoencoder.ts';
import type { Detector, FitDetector, FitDetectorOptions, Losses } from './detector.ts';
import { fitGaussian, type GaussianOptions } from './gaussian.ts';
import { fitKnn, type KnnOptions } from './knn.ts';
import { fitMahalanobis } from './mahalanobis.ts';
import type { Matrix } from './matrix.ts';
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

const FITS: { readonly [K in Kind]: FitDetector<Extract<DetectorOptions, { kind: K }>> } = {
  autoencoder: fitAutoencoder,
  gaussian: fitGaussian,
  mahalanobis: fitMahalanobis,
  pca: fitPca,
  knn: fitKnn,
  places: fitPlaces,
  padim: fitPadim,
};

/** Fits the detector that `detector` describes to features of good images. Equal input gives an equal detector. */
export function fitDetector(
  features: Matrix,
  detector: DetectorOptions,
  options: FitDetectorOptions,
): AsyncGenerator<Losses, Detector, void> {
  // The entry of a kind takes just the options of that kind; TypeScript does not see it through the union.
  return (FITS[detector.kind] as FitDetector<DetectorOptions>)(features, detector, options);
}
