/** The frames of a capture: which pages of its file they are, and which one stands for it in pictures. */
import type { Preprocessing } from '../../config/preprocessing.ts';

/** `frames` pages, evenly spaced over `pages`, from 0; a still is repeated. */
export function framePages(pages: number, frames: number): number[] {
  return Array.from({ length: frames }, (_, i) => Math.floor((i * pages) / frames));
}

/** Index of the frame that is shown, and that a reconstruction is compared with: the middle one. */
export function middleFrame(frames: number): number {
  return Math.floor(frames / 2);
}

/**
 * The frame of `pixels` that is drawn for people: uint8 `[height, width, channels]` out of
 * `[frames, height, width, channels]`.
 */
export function shownFrame(
  pixels: Uint8Array,
  spec: Pick<Preprocessing, 'width' | 'height' | 'channels' | 'frames'>,
): Uint8Array {
  const size = spec.width * spec.height * spec.channels;
  const start = middleFrame(spec.frames) * size;
  return pixels.subarray(start, start + size);
}
