/** Reading a few bytes here and there in a file. */

/** Reads bytes of a file; fewer than asked for at its end. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

/** Whether something was written here: space that was allocated beforehand reads as zeros. */
export function holdsData(bytes: Buffer): boolean {
  return bytes.some((byte) => byte !== 0);
}
