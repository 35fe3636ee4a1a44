/** Captures of the size that a fundus camera writes. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { drawPhantom } from '../../test/demo/phantoms.ts';

const PICTURES = 50;

/** Writes drawn pictures, 760x570 JPEG, within `folder`; their paths. */
export async function drawPictures(folder: string): Promise<string[]> {
  const drawn = path.join(folder, 'pictures');
  await mkdir(drawn);
  const files: string[] = [];
  for (let i = 0; i < PICTURES; i++) {
    const picture = sharp(await drawPhantom(500 + i)).resize(760, 570, { fit: 'fill' });
    const file = path.join(drawn, `${i}.jpg`);
    await writeFile(file, await picture.jpeg({ quality: 90 }).toBuffer());
    files.push(file);
  }
  return files;
}
