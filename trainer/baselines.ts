/** Trivial rules that a model must beat before it shows anything. Each holds *small* values for poor. */
import { decode } from '../agent/inspect/decode.ts';
import { LIMITS } from './data/load.ts';

export interface Properties {
  readonly bytes: number;
  /** Of grey values 0..255. */
  readonly mean: number;
  readonly deviation: number;
  readonly sharpness: number;
}

/** The directions were fixed beforehand: a poor capture is small as a file, dark, flat or blurred. */
export const BASELINES = [
  { key: 'bytes', name: 'File size', rule: 'small files are poor' },
  { key: 'mean', name: 'Mean grey', rule: 'dark images are poor' },
  { key: 'deviation', name: 'Standard deviation of grey', rule: 'flat images are poor' },
  { key: 'sharpness', name: 'Central sharpness', rule: 'blurred images are poor' },
] as const satisfies readonly { key: keyof Properties; name: string; rule: string }[];

const SIDE = 128;

/** Measured on the grey image at 128 x 128 pixels. Sharpness: log of the mean |Laplacian| of its central half. */
export async function propertiesOf(bytes: Uint8Array): Promise<Properties> {
  const spec = {
    width: SIDE,
    height: SIDE,
    channels: 1,
    frames: 1,
    crop: 'none',
    fit: 'fill',
    kernel: 'lanczos3',
  } as const;
  const { pixels } = await decode(bytes, spec, LIMITS);
  const mean = pixels.reduce((sum, v) => sum + v, 0) / pixels.length;
  const variance = pixels.reduce((sum, v) => sum + (v - mean) ** 2, 0) / pixels.length;
  return {
    bytes: bytes.length,
    mean,
    deviation: Math.sqrt(variance),
    sharpness: Math.log(meanLaplacian(pixels) + 1e-6),
  };
}

function meanLaplacian(grey: Uint8Array): number {
  let sum = 0;
  for (let y = SIDE / 4; y < (3 * SIDE) / 4; y++)
    for (let x = SIDE / 4; x < (3 * SIDE) / 4; x++) {
      const i = y * SIDE + x;
      sum += Math.abs(4 * grey[i]! - grey[i - 1]! - grey[i + 1]! - grey[i - SIDE]! - grey[i + SIDE]!);
    }
  return sum / (SIDE / 2) ** 2;
}
