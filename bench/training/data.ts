/** The images and initial weights that every peer trains on, as files of raw float32. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { random as randomNumbers } from '../../test/support/images.ts';
import { normalNoise } from '../../trainer/models/variational.ts';
import type { Net } from './nets.ts';

/** Different batches; training goes round. */
export const BATCHES = 8;

export interface TrainingData {
  /** Each [batch, height, width, channels], values 0 to 1. */
  batches: Float32Array[];
  /** Of each batch [batch, noise], where the net takes noise; otherwise empty. */
  noise: Float32Array[];
  /** In the order of the model's weights. */
  weights: { name: string; shape: number[]; values: Float32Array }[];
}

const IMAGES_FILE = 'images.f32';
const NOISE_FILE = 'noise.f32';
const WEIGHTS_FILE = 'weights.f32';
/** Name (layer/weight) and shape of each weight, in the order of WEIGHTS_FILE. */
const NAMES_FILE = 'weights.json';

/**
 * Writes all files; the net is built on TensorFlow.js' current backend.
 */
export async function writeTrainingData(folder: string, net: Net): Promise<void> {
  await mkdir(folder, { recursive: true });
  const random = randomNumbers(1);
  const images = waves(BATCHES * net.batch, net.image, random);
  const noise = normalNoise(BATCHES * net.batch, net.noise, random);
  const { model } = await net.open();
  const weights = await Promise.all(model.weights.map((weight) => weight.read().data<'float32'>()));
  const names = model.weights.map(({ originalName, shape }) => ({ name: originalName, shape }));
  await writeFile(join(folder, IMAGES_FILE), bytesOf(images));
  await writeFile(join(folder, NOISE_FILE), bytesOf(await noise.data<'float32'>()));
  await writeFile(join(folder, WEIGHTS_FILE), Buffer.concat(weights.map(bytesOf)));
  await writeFile(join(folder, NAMES_FILE), JSON.stringify(names));
  noise.dispose();
  model.dispose();
}

export async function readTrainingData(folder: string, net: Net): Promise<TrainingData> {
  const images = await readFloats(join(folder, IMAGES_FILE));
  const noise = await readFloats(join(folder, NOISE_FILE));
  const values = await readFloats(join(folder, WEIGHTS_FILE));
  const names: { name: string; shape: number[] }[] = JSON.parse(
    await readFile(join(folder, NAMES_FILE), 'utf8'),
  );
  let offset = 0;
  const weights = names.map(({ name, shape }) => {
    const begin = offset;
    offset += shape.reduce((a, b) => a * b, 1);
    return { name, shape, values: values.subarray(begin, offset) };
  });
  return { batches: parts(images, BATCHES), noise: net.noise === 0 ? [] : parts(noise, BATCHES), weights };
}

/** Images of a few coloured waves: smooth, all different, worth learning. */
export function waves(count: number, image: Net['image'], random: () => number): Float32Array {
  const size = image[0] * image[1] * image[2];
  const images = new Float32Array(count * size);
  for (let offset = 0; offset < images.length; offset += size)
    drawWaves(images.subarray(offset, offset + size), image, random);
  return images;
}

function parts(values: Float32Array, count: number): Float32Array[] {
  const length = values.length / count;
  return Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function readFloats(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** One image [height, width, channels]: three waves for each channel. */
function drawWaves(image: Float32Array, [height, width, channels]: Net['image'], random: () => number): void {
  for (let channel = 0; channel < channels; channel++) {
    const waves = Array.from({ length: 3 }, () => ({
      x: (random() - 0.5) * 12,
      y: (random() - 0.5) * 12,
      phase: random() * 2 * Math.PI,
    }));
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const angle = (wave: { x: number; y: number }) =>
          2 * Math.PI * ((wave.x * column) / width + (wave.y * row) / height);
        const sum = waves.reduce((sum, wave) => sum + Math.cos(angle(wave) + wave.phase), 0);
        image[(row * width + column) * channels + channel] = 0.5 + sum / 6;
      }
    }
  }
}
