/** Errors that say nothing about a file: this process, or the whole system, is short of something just now. */

/** Of descriptors or memory. */
const SHORTAGES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/** Whether `error` is of the operating system and tells of such a shortage. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES.has((error as NodeJS.ErrnoException).code);
}
