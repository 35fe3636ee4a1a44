/** Transfer syntaxes (PS3.5 chapter 10): how pixels are encoded. */

export type Codec = 'native' | 'rle' | 'jpeg' | 'jpeg-ls' | 'jpeg-2000';

/** By UID. Retired ones (4.51 to 4.57 in part) are read as well. Not read: video, JPEG XL, JPIP. */
const SYNTAXES: ReadonlyMap<string, Codec> = new Map([
  ['1.2.840.10008.1.2', 'native'], // implicit VR, little endian
  ['1.2.840.10008.1.2.1', 'native'], // explicit VR, little endian
  ['1.2.840.10008.1.2.2', 'native'], // explicit VR, big endian
  ['1.2.840.10008.1.2.5', 'rle'],
  ['1.2.840.10008.1.2.4.50', 'jpeg'], // baseline, 8 bits
  ['1.2.840.10008.1.2.4.51', 'jpeg'], // extended, 8 and 12 bits
  ['1.2.840.10008.1.2.4.53', 'jpeg'], // spectral selection
  ['1.2.840.10008.1.2.4.55', 'jpeg'], // full progression
  ['1.2.840.10008.1.2.4.57', 'jpeg'], // lossless
  ['1.2.840.10008.1.2.4.70', 'jpeg'], // lossless, first-order prediction
  ['1.2.840.10008.1.2.4.80', 'jpeg-ls'],
  ['1.2.840.10008.1.2.4.81', 'jpeg-ls'], // near-lossless
  ['1.2.840.10008.1.2.4.90', 'jpeg-2000'], // lossless
  ['1.2.840.10008.1.2.4.91', 'jpeg-2000'],
]);

export const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';
export const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
export const EXPLICIT_BIG_ENDIAN = '1.2.840.10008.1.2.2';

export function codecOf(syntax: string): Codec | undefined {
  return SYNTAXES.get(syntax);
}
