/** The errors of a DICOM file. Their messages never hold a value of an element that is free text. */
import { UnscorableError } from '../inspection.ts';

/** What it says of itself cannot be true. */
export function corrupt(what: string): UnscorableError {
  return new UnscorableError('corrupt', `The DICOM file contradicts itself: ${what}.`);
}

export function unsupported(what: string): UnscorableError {
  return new UnscorableError('unsupported-format', `A DICOM file of a kind that is not read: ${what}.`);
}

export function truncated(what: string): UnscorableError {
  return new UnscorableError('truncated', `The DICOM file ends before its image is complete: ${what}.`);
}
