/** A capture: one version of one file in the watched folder. */

export interface Capture {
  /** Path within the watched folder, `/` between its parts. Never leaves this PC. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Modification time, nanoseconds since 1970. */
  readonly modifiedNanoseconds: bigint;
  /** What stands at that name; only a file can be scored. */
  readonly kind: 'file' | 'not-a-file' | 'dangling-link' | 'unreadable';
}

/** Whether two captures are the same version of the same file. */
export function sameCapture(a: Capture, b: Capture): boolean {
  return (
    a.name === b.name &&
    a.size === b.size &&
    a.modifiedNanoseconds === b.modifiedNanoseconds &&
    a.kind === b.kind
  );
}
