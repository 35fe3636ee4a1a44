/** Reading a few bytes here and there in a file. */

/** Reads bytes of a file; fewer than asked for at its end. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

/** Whether any byte is not zero. */
export function holdsData(bytes: Buffer): boolean {
  return bytes.some((byte) => byte !== 0);
}

/**
 * Whether what ends here was written to its end: space that was allocated beforehand reads as zeros until it is
 * filled. Formats pad with up to three zeros, hence four bytes. An image may truly end in zeros: then this is false.
 */
export function endWritten(bytes: Buffer): boolean {
  return holdsData(bytes.subarray(-4));
}
