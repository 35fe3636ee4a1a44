/** DICOM for those who hand images to sharp themselves. */
import sharp from 'sharp';
import { openDicom } from './image.ts';
import { dicomBeginning } from './sniff.ts';

/**
 * The first frame of a DICOM file as an uncompressed TIFF of 8 bits, shown with the file's own window; any other
 * content unchanged. Sizes are not limited: this is for bytes that `decode` has accepted.
 * @throws UnscorableError as `decode` does.
 */
export async function withoutDicom(bytes: Uint8Array): Promise<Uint8Array> {
  if (dicomBeginning(bytes) === null) return bytes;
  const image = openDicom(bytes, 'file', Number.MAX_SAFE_INTEGER);
  const { data, channels } = await image.render(0);
  const { width, height } = image;
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .tiff({ compression: 'none' })
    .toBuffer();
}
