/** An input from outside (file, argument, message) does not fit its schema. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
