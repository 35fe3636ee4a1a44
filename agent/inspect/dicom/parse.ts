/** From the bytes of a DICOM file to its elements, up to the pixels. Values are left unread. */
import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet } from 'dicom-parser';
import { UnscorableError } from '../inspection.ts';
import { truncated } from './refuse.ts';
import { dicomBeginning, explicit } from './sniff.ts';
import { EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN } from './syntax.ts';

export interface Parsed {
  readonly elements: DataSet;
  /** UID. */
  readonly syntax: string;
}

export const PIXEL_DATA = 'x7fe00010';

/**
 * Indexes the elements; those after the pixels, and the pixels, are not looked at. `mostBytes` bounds what a deflated
 * file may become.
 *
 * What the parser throws is no `cause` here: it holds the data set, and with it everything about the patient.
 * @throws UnscorableError when the bytes are no DICOM file, or a damaged one.
 */
export function parseElements(bytes: Uint8Array, mostBytes: number): Parsed {
  const beginning = dicomBeginning(bytes);
  if (beginning === null) throw new UnscorableError('unsupported-format', 'The content is no DICOM file.');
  let content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (beginning === 'meta')
    content = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM', 'latin1'), content]);
  const raw = explicit(content) ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN;
  try {
    const elements = dicomParser.parseDicom(content, {
      untilTag: PIXEL_DATA,
      inflater: (all: Uint8Array, position: number) => inflate(all, position, mostBytes),
      ...(beginning === 'data-set' && { TransferSyntaxUID: raw }),
    });
    const syntax = beginning === 'data-set' ? raw : (elements.string('x00020010')?.trim() ?? '');
    return { elements, syntax };
  } catch (thrown) {
    throw refusal(thrown);
  }
}

function inflate(all: Uint8Array, position: number, mostBytes: number): Uint8Array {
  const inflated = inflateRawSync(all.subarray(position), { maxOutputLength: mostBytes });
  return Buffer.concat([all.subarray(0, position), inflated]);
}

/** The parser throws texts, errors, and objects that hold either. */
function refusal(thrown: unknown): UnscorableError {
  const inner = (thrown as { readonly exception?: unknown }).exception ?? thrown;
  const { code, message = String(inner) } = inner as NodeJS.ErrnoException;
  if (code === 'ERR_BUFFER_TOO_LARGE')
    return new UnscorableError('too-large', 'The inflated data set has more bytes than limits.bytes allows.');
  if (code === 'Z_BUF_ERROR' || /past (the )?end|overrun|maxP ?osition/.test(message))
    return truncated('it ends within its header');
  return new UnscorableError('corrupt', 'The elements of the DICOM file cannot be read.');
}
