/** Whole images of every format that is read, to be damaged: drawn ones, and real ones where they are at hand. */
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { SYNTAX, words, writeDicom } from '../../test/support/dicom.ts';
import { drawFrames, encodeFrame } from '../../test/support/dicomFrames.ts';
import { smoothPixels } from '../../test/support/images.ts';

const SHARED = path.join(import.meta.dirname, '../../../shared/data');
const SIDE = 64;
/** Real files of each kind, none larger than so many bytes. */
const REAL = 6;
const MOST_BYTES = 300_000;

export interface Original {
  readonly ending: string;
  readonly bytes: Buffer;
}

export async function originals(): Promise<Original[]> {
  return [...(await drawn()), ...(await drawnDicom()), ...(await real())];
}

async function drawn(): Promise<Original[]> {
  const image = () => sharp(smoothPixels(SIDE, 1), { raw: { width: SIDE, height: SIDE, channels: 3 } });
  const made = {
    jpg: [
      image().jpeg(),
      image().jpeg({ progressive: true }),
      image()
        .greyscale()
        .jpeg()
        .withExif({ IFD0: { Copyright: 'x' } }),
    ],
    png: [
      image().png(),
      image().png({ palette: true }),
      image().png({ progressive: true }),
      image().toColourspace('rgb16').png(),
    ],
    tif: [
      image().tiff({ compression: 'none' }),
      image().tiff({ compression: 'lzw' }),
      image().tiff({ tile: true, tileWidth: 16, tileHeight: 16 }),
    ],
    webp: [image().webp(), image().webp({ lossless: true })],
    gif: [image().gif()],
  };
  const all = Object.entries(made).flatMap(([ending, images]) =>
    images.map(async (one) => ({ ending, bytes: await one.toBuffer() })),
  );
  return Promise.all(all);
}

async function drawnDicom(): Promise<Original[]> {
  const size = { width: SIDE, height: SIDE };
  const grey = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i % SIDE) * 4);
  const raw = { ...size, samples: 1, allocated: 8, stored: 8, signed: false, bytes: grey };
  const encoded = async (syntax: string, encoder: Parameters<typeof encodeFrame>[0]) =>
    writeDicom({
      ...size,
      syntax,
      pixels: { table: new Uint8Array(), fragments: [await encodeFrame(encoder, raw)] },
    });
  const files = [
    writeDicom({ ...size, pixels: grey }),
    writeDicom({ ...size, pixels: words(grey), allocated: 16, stored: 12, signed: true }),
    writeDicom({ ...size, pixels: grey, syntax: SYNTAX.deflated }),
    writeDicom({ ...size, pixels: grey, syntax: SYNTAX.implicit }),
    drawFrames(['smooth', 'noisy', 'smooth'], SIDE),
    await encoded(SYNTAX.rle, 'encodeRle'),
    await encoded(SYNTAX.jpeg, 'encodeJpeg'),
    await encoded(SYNTAX.jpegLs, 'encodeJpegLs'),
    await encoded(SYNTAX.jpeg2000, 'encodeJpeg2000'),
  ];
  return files.map((bytes) => ({ ending: 'dcm', bytes }));
}

async function real(): Promise<Original[]> {
  const found: Original[] = [];
  for (const [folder, pattern] of [
    ['dicom', /\.dcm$|^[^.]+$/],
    ['fundus/test_good', /\.jpe?g$/i],
    ['malaria', /\.png$/i],
    ['brain-mri', /\.(jpe?g|tiff?)$/i],
  ] as const) {
    const root = path.join(SHARED, folder);
    if (!existsSync(root)) continue;
    const names = (await readdir(root, { recursive: true }))
      .filter((name) => pattern.test(path.basename(name)))
      .sort();
    let taken = 0;
    for (const name of names) {
      const stats = await stat(path.join(root, name));
      if (!stats.isFile() || stats.size > MOST_BYTES || taken === REAL) continue;
      found.push({
        ending: path.extname(name).slice(1) || 'dcm',
        bytes: await readFile(path.join(root, name)),
      });
      taken++;
    }
  }
  return found;
}
