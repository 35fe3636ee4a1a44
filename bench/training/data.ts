/** The images and initial weights that every peer trains on, as files of raw float32. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { random as randomNumbers } from '../../test/support/images.ts';
import { randomArray } from '../random.ts';

/** Height and width of an image. */
export const SIZE = 128;
export const BATCH = 16;
/** Different batches; training goes round. */
export const BATCHES = 8;
/** Channels before and after each of the seven 3x3 convolutions of the fundus net. */
export const CHANNELS = [3, 32, 64, 128, 128, 64, 32, 3] as const;
export const LEARNING_RATE = 0.0001;

export interface TrainingData {
  /** Each [BATCH, SIZE, SIZE, 3], values 0 to 1. */
  batches: Float32Array[];
  /** Kernel [3, 3, in, out] and bias [out] of each convolution, in order. */
  weights: { shape: number[]; values: Float32Array }[];
}

const IMAGES_FILE = 'images.f32';
const WEIGHTS_FILE = 'weights.f32';

/** Writes both files. Every image is a few coloured waves: smooth, all different, worth learning. */
export async function writeTrainingData(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const random = randomNumbers(1);
  const images = new Float32Array(BATCHES * BATCH * SIZE * SIZE * 3);
  for (let offset = 0; offset < images.length; offset += SIZE * SIZE * 3) {
    drawWaves(images.subarray(offset, offset + SIZE * SIZE * 3), random);
  }
  // Glorot and Bengio 2010, uniform, as Keras initialises convolutions; biases zero.
  const weights = CHANNELS.slice(1).flatMap((outputs, layer) => {
    const inputs = CHANNELS[layer]!;
    const limit = Math.sqrt(6 / (9 * (inputs + outputs)));
    return [randomArray(9 * inputs * outputs, -limit, limit, random), new Float32Array(outputs)];
  });
  await writeFile(join(folder, IMAGES_FILE), new Uint8Array(images.buffer));
  await writeFile(
    join(folder, WEIGHTS_FILE),
    Buffer.concat(weights.map(({ buffer }) => new Uint8Array(buffer))),
  );
}

export async function readTrainingData(folder: string): Promise<TrainingData> {
  const images = await readFloats(join(folder, IMAGES_FILE));
  const values = await readFloats(join(folder, WEIGHTS_FILE));
  const length = BATCH * SIZE * SIZE * 3;
  const batches = Array.from({ length: BATCHES }, (_, i) => images.subarray(i * length, (i + 1) * length));
  const shapes = CHANNELS.slice(1).flatMap((outputs, layer) => [
    [3, 3, CHANNELS[layer]!, outputs],
    [outputs],
  ]);
  let offset = 0;
  const weights = shapes.map((shape) => {
    const begin = offset;
    offset += shape.reduce((a, b) => a * b);
    return { shape, values: values.subarray(begin, offset) };
  });
  return { batches, weights };
}

async function readFloats(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** One image [SIZE, SIZE, 3]: three waves for each channel. */
function drawWaves(image: Float32Array, random: () => number): void {
  for (let channel = 0; channel < 3; channel++) {
    const waves = Array.from({ length: 3 }, () => ({
      x: (random() - 0.5) * 12,
      y: (random() - 0.5) * 12,
      phase: random() * 2 * Math.PI,
    }));
    for (let row = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        const sum = waves.reduce(
          (sum, { x, y, phase }) => sum + Math.cos((2 * Math.PI * (x * column + y * row)) / SIZE + phase),
          0,
        );
        image[(row * SIZE + column) * 3 + channel] = 0.5 + sum / 6;
      }
    }
  }
}
