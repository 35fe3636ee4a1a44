/** Placeholder until the kind `pretrained` is written. */
import { ConfigError } from '../../config/errors.ts';
import type { BuildAutoencoder } from './autoencoder.ts';

export const buildPretrained: BuildAutoencoder = () => {
  throw new ConfigError('Models of kind pretrained are not there yet.');
};
