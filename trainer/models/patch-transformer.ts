/** Placeholder until the kind `patch-transformer` is written. */
import { ConfigError } from '../../config/errors.ts';
import type { BuildAutoencoder } from './autoencoder.ts';

export const buildPatchTransformer: BuildAutoencoder = () => {
  throw new ConfigError('Models of kind patch-transformer are not there yet.');
};
