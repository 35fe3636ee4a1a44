/** Makes what was written outlast a power cut. */
import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Waits until the content of a file, or the names in a folder, are on disk. */
export function syncFile(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
