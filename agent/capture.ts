/** A capture: one version of one file in the watched folder, or one frame of it where the file holds several. */

export interface Capture {
  /**
   * Path within the watched folder, `/` between its parts, bytes that are no UTF-8 as `agent/ingest/names.ts` writes
   * them. Never leaves this PC.
   */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Modification time, nanoseconds since 1970. */
  readonly modifiedNanoseconds: bigint;
  /** What stands at that name; only a file can be scored. */
  readonly kind: 'file' | 'not-a-file' | 'dangling-link' | 'unreadable' | 'too-deep';
  /**
   * `<inode>/<ctime>`: which file it is, and when that was last changed in any way, name and permissions included, nanoseconds
   * since 1970; absent: not known. Does not tell versions apart, but with another one something else may stand there.
   */
  readonly stamp?: string;
  /** Which frame of the file, from 2; absent: the first, which is all that most files hold. */
  readonly frame?: number;
}

/** Which frame of its file a capture is, from 1. */
export function frameOf({ frame }: Capture): number {
  return frame ?? 1;
}

/** Frame `frame` of the file that `capture` belongs to, from 1. */
export function captureOfFrame({ frame: _, ...file }: Capture, frame: number): Capture {
  return frame === 1 ? file : { ...file, frame };
}

/** Whether two captures are of the same version of the same file. */
export function sameVersion(a: Capture, b: Capture): boolean {
  return (
    a.name === b.name &&
    a.size === b.size &&
    a.modifiedNanoseconds === b.modifiedNanoseconds &&
    a.kind === b.kind
  );
}

/**
 * Nanoseconds from the last change of `before` to that of `after`, whatever that file held and is called; null where it is
 * not the same file, or not known to be.
 */
export function timeBetween(before: Capture, after: Capture): bigint | null {
  const [inode, changed] = before.stamp?.split('/') ?? [];
  const [other, changedAgain] = after.stamp?.split('/') ?? [];
  return inode !== undefined && inode === other ? BigInt(changedAgain!) - BigInt(changed!) : null;
}

/** What SQLite holds as an integer: from 1677 to 2262. */
const [FIRST_TIME, LAST_TIME] = [-(2n ** 63n), 2n ** 63n - 1n];

/** A modification time that the ledger can hold: file systems keep later ones (ext4 until 2446), which become the last. */
export function modificationTime(nanoseconds: bigint): bigint {
  return nanoseconds < FIRST_TIME ? FIRST_TIME : nanoseconds > LAST_TIME ? LAST_TIME : nanoseconds;
}

/** 9999-12-31T23:59:59.999Z, the last instant that ISO 8601 writes with four digits; milliseconds since 1970. */
const LAST_INSTANT = 253_402_300_799_999n;

/** A modification time as ISO 8601. File systems hold times that no calendar does; those become the nearest that can be written. */
export function instantOf(nanoseconds: bigint): string {
  const milliseconds = nanoseconds / 1_000_000n;
  const writable = milliseconds < 0n ? 0n : milliseconds > LAST_INSTANT ? LAST_INSTANT : milliseconds;
  return new Date(Number(writable)).toISOString();
}

/** The capture that a folder is which lies deeper than folders are read. */
export function tooDeep(name: string): Capture {
  return { name, size: 0, modifiedNanoseconds: 0n, kind: 'too-deep' };
}
