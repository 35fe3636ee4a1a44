/** From the bytes of a DICOM file to its elements, up to the pixels. Values are left unread. */
import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet } from 'dicom-parser';
import { UnscorableError } from '../inspection.ts';
import { truncated } from './refuse.ts';
import { dicomBeginning, explicit } from './sniff.ts';
import { EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN } from './syntax.ts';

export interface Parsed {
  readonly elements: DataSet;
  /** UID. Of a deflated file, that of what it was inflated to. */
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
  try {
    if (beginning === 'data-set')
      return parseRaw(content, explicit(content) ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN);
    let inflated: Buffer | undefined;
    const elements = dicomParser.parseDicom(content, {
      untilTag: PIXEL_DATA,
      // The parser (1.8.21) would go on at byte 0 of what this gives, not behind the meta information: it gets one empty element.
      inflater: (all: Uint8Array, position: number) => {
        inflated = inflateRawSync(all.subarray(position), { maxOutputLength: mostBytes });
        return Buffer.alloc(8);
      },
    });
    if (inflated !== undefined) return parseRaw(inflated, EXPLICIT_LITTLE_ENDIAN);
    return { elements, syntax: elements.string('x00020010')?.trim() ?? '' };
  } catch (thrown) {
    throw refusal(thrown);
  }
}

/** A data set without anything before it. */
function parseRaw(content: Buffer, syntax: string): Parsed {
  return {
    elements: dicomParser.parseDicom(content, { untilTag: PIXEL_DATA, TransferSyntaxUID: syntax }),
    syntax,
  };
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
