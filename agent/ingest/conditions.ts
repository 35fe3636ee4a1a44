/** What an operator reads when the folder or its events are not to be had. No file names: these words travel. */

/** The folder beneath the mount point is watched meanwhile: what somebody writes there is not lost either. */
export const UNMOUNTED =
  'The file system of the watched folder is not mounted any more. Mount it again; what it holds is then found by itself.';

/** @param code why the watched folder cannot be read. */
export function missingMessage(code: string): string {
  return `The watched folder ${MISSING[code] ?? `cannot be read (${code}). ${remedyOfReading(code)}`}; what it holds is then found by itself.`;
}

const MISSING: Readonly<Record<string, string>> = {
  ENOENT: 'is not there (ENOENT). Create or mount it',
  ENOTDIR: 'is no folder (ENOTDIR). Put a folder in its place',
};

/** EMFILE: of the process; ENFILE: of the whole system. */
function remedyOfReading(code: string): string {
  return code === 'EMFILE' || code === 'ENFILE'
    ? 'Raise the limit of open files (LimitNOFILE of the service)'
    : 'Check its permissions';
}

/**
 * @param failure why events may be missing.
 * @param unreadable why a subfolder cannot be read.
 * @returns null when nothing is wrong.
 */
export function degradedMessage(
  failure: string | null,
  unreadable: string | null,
  sweepMilliseconds: number,
): string | null {
  if (failure !== null)
    return `Watching for changes failed (${failure}); the folder is still read as a whole every ${sweepMilliseconds / 1000} s. ${remedy(failure)}`;
  if (unreadable !== null)
    return `A subfolder cannot be read (${unreadable}): captures in it are not seen. ${remedyOfReading(unreadable)}.`;
  return null;
}

function remedy(code: string): string {
  if (code === 'ENOSPC') return 'Raise the system limit fs.inotify.max_user_watches.';
  if (code === 'EMFILE' || code === 'ENFILE')
    return 'Raise fs.inotify.max_user_instances or the limit of open files.';
  return 'Watching is tried again with each reading.';
}
