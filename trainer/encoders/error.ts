/** A pretrained encoder cannot be had or used; the message says why and what to do. */
export class EncoderError extends Error {
  override readonly name = 'EncoderError';
}
