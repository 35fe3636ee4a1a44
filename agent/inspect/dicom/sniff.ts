/** Whether bytes are a DICOM file (PS3.10), told by content. */

const PREFIX_AT = 128;
const PREFIX = 'DICM';

/** Of the first bytes of a file, at least 132 where it has them. */
export type DicomBeginning = 'preamble' | 'meta' | 'data-set';

/**
 * `preamble`: 128 bytes of anything, then `DICM`. Else, as old software writes it, at once the elements: of the file
 * meta information (group 0002), or of the data set (group 0008). The latter two are believed only where the first
 * element is one that can stand there: its group, its element, then its type in two capitals or a short length. No
 * other format that is read begins with 02 00 or 08 00.
 */
export function dicomBeginning(bytes: Uint8Array): DicomBeginning | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, PREFIX_AT + 4));
  if (head.toString('latin1', PREFIX_AT, PREFIX_AT + 4) === PREFIX) return 'preamble';
  if (head.length < 16) return null;
  const [group, element] = [head.readUInt16LE(0), head.readUInt16LE(2)];
  if (group === 0x0002 && element <= 0x0010 && explicit(head)) return 'meta';
  if (group === 0x0008 && element <= 0x0018 && (explicit(head) || head.readUInt32LE(4) <= 64))
    return 'data-set';
  return null;
}

/** Whether the type of the first element is given, as explicit transfer syntaxes do. */
export function explicit(head: Uint8Array): boolean {
  const capital = (byte: number) => byte >= 0x41 && byte <= 0x5a;
  return capital(head[4]!) && capital(head[5]!);
}
