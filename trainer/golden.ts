/** Made images that prove a bundle on another machine: no patient's picture travels in a bundle. */
import sharp from 'sharp';
import { shownFrame } from '../agent/inspect/frames.ts';
import type { Preprocessing } from '../config/preprocessing.ts';
import type { Picture } from './features.ts';
import { type Random, randomFor, shuffled } from './random.ts';

/** Images taken where real ones are asked for. */
const TAKEN = 3;

/**
 * Three PNGs of the input's size (stills, also where the model sees frames): the mean training image with a ramp of brightness, with a bright arc and noise, and
 * with everything at once, smoothed in one part. Where and how strongly follows from `seed`.
 */
export async function makeGoldenImages(
  images: readonly Picture[],
  spec: Preprocessing,
  seed: number,
): Promise<Buffer[]> {
  const mean = meanImage(images, spec);
  const pngs: Buffer[] = [];
  for (const [index, changes] of [[ramp], [arc, noise], [ramp, smooth, arc, noise]].entries()) {
    const random = randomFor(seed, 'golden', index);
    const values = changes.reduce((image, change) => change(image, spec, random), mean);
    pngs.push(await encode(values, spec));
  }
  return pngs;
}

/** Middle frames of three training images, as PNG: pictures of patients, if that is what was trained on. */
export function takeGoldenImages(
  images: readonly Picture[],
  spec: Preprocessing,
  seed: number,
): Promise<Buffer[]> {
  const { width, height, channels } = spec;
  const some = shuffled(images, randomFor(seed, 'golden')).slice(0, TAKEN);
  return Promise.all(
    some.map(({ pixels }) =>
      sharp(shownFrame(pixels, spec), { raw: { width, height, channels } }).png().toBuffer(),
    ),
  );
}

type Change = (image: Float32Array, spec: Preprocessing, random: Random) => Float32Array;

/** Over all images, and over the frames of each: `[height, width, channels]`. */
function meanImage(
  images: readonly Picture[],
  { width, height, channels, frames }: Preprocessing,
): Float32Array {
  const sum = new Float64Array(width * height * channels);
  for (const { pixels } of images) for (let i = 0; i < pixels.length; i++) sum[i % sum.length]! += pixels[i]!;
  return Float32Array.from(sum, (value) => value / (images.length * frames));
}

/** Brightness rises by 40 to 80 from one side to the other, in a random direction. */
const ramp: Change = (image, spec, random) => {
  const angle = random() * 2 * Math.PI;
  const height = 40 + 40 * random();
  return mapPixels(
    image,
    spec,
    (value, x, y) => value + height * (x * Math.cos(angle) + y * Math.sin(angle)),
  );
};

/** A bright arc, as of a reflection at the rim. */
const arc: Change = (image, spec, random) => {
  const [cx, cy, radius] = [0.4 * random() - 0.2, 0.4 * random() - 0.2, 0.5 + 0.3 * random()];
  return mapPixels(image, spec, (value, x, y) =>
    x > cx && Math.abs(Math.hypot(x - cx, y - cy) - radius) < 0.08 ? value + 90 : value,
  );
};

const noise: Change = (image, spec, random) =>
  mapPixels(image, spec, (value) => value + 30 * (random() + random() - 1));

/** One quarter is replaced by blocks of its own local mean. */
const smooth: Change = (image, spec, random) => {
  const { width, height, channels } = spec;
  const [right, low] = [random() < 0.5, random() < 0.5];
  const side = Math.max(2, Math.round(Math.min(width, height) / 16));
  return mapPixels(image, spec, (value, x, y, c, column, row) => {
    if (x > 0 !== right || y > 0 !== low) return value;
    let sum = 0;
    let count = 0;
    const [left, top] = [column - (column % side), row - (row % side)];
    for (let j = top; j < Math.min(top + side, height); j++)
      for (let i = left; i < Math.min(left + side, width); i++) {
        sum += image[(j * width + i) * channels + c]!;
        count += 1;
      }
    return sum / count;
  });
};

/** `x` and `y` run from -1 to 1 over the image. */
function mapPixels(
  image: Float32Array,
  { width, height, channels }: Preprocessing,
  change: (value: number, x: number, y: number, c: number, column: number, row: number) => number,
): Float32Array {
  return image.map((value, i) => {
    const column = Math.floor(i / channels) % width;
    const row = Math.floor(i / (channels * width));
    return change(value, (2 * column + 1) / width - 1, (2 * row + 1) / height - 1, i % channels, column, row);
  });
}

function encode(values: Float32Array, { width, height, channels }: Preprocessing): Promise<Buffer> {
  const pixels = Uint8ClampedArray.from(values);
  return sharp(pixels, { raw: { width, height, channels } }).png().toBuffer();
}
