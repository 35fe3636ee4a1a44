/** A training backend that was asked for cannot be had; the message says why and what to do. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
}
