/** Captures and frames: how many captures a file holds, which pages each takes, and which one stands for it in pictures. */
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { Inspection } from './inspection.ts';

/**
 * How many captures a file of `pages` holds: each frame of a DICOM file is one, of its own. Of other formats only the
 * first page is looked at: further ones are thumbnails, or the moments of an animation. For a graph of several frames
 * the file is one capture, whatever its format.
 */
export function captureCount(
  { format, pages }: { readonly format: string; readonly pages: number },
  { frames }: Pick<Preprocessing, 'frames'>,
): number {
  return format === 'dicom' && frames === 1 ? pages : 1;
}

/** The inspection of one of a file's captures, unless the file holds more than `most` (`limits.frames`): none is judged then. */
export function withinFrames(inspection: Inspection, most: number): Inspection {
  const { frames, bytes, sha256 } = inspection;
  if (frames === null || frames <= most) return inspection;
  const message = `The file has ${frames} frames; limits.frames allows ${most}.`;
  return { outcome: 'unscorable', reason: 'too-many-frames', message, bytes, sha256, frames: null };
}

/** Whether an inspection of frame `frame`, from 1, is of a file that holds several captures. */
export function isOneOfSeveral(frame: number, { frames }: Inspection): boolean {
  return frame > 1 || (frames ?? 1) > 1;
}

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
