/**
 * What a DICOM file says about its pixels (PS3.3 C.7.6.3, C.11), and nothing else: no element about a patient, a study
 * or a place is ever turned into a value.
 */
import type { DataSet } from 'dicom-parser';
import { UnscorableError } from '../inspection.ts';
import { type GreyScale, readGreyScale } from './greyscale.ts';
import { type Palette, readPalette } from './palette.ts';
import { type Parsed, PIXEL_DATA } from './parse.ts';
import { corrupt, truncated, unsupported } from './refuse.ts';
import { type Codec, codecOf, EXPLICIT_BIG_ENDIAN } from './syntax.ts';

export interface DicomHeader {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly codec: Codec;
  /** 1: grey or palette, 3: colour. */
  readonly samples: 1 | 3;
  readonly photometric: Photometric;
  /** Bits of a sample in the file: 1, 8 or 16. */
  readonly bitsAllocated: 1 | 8 | 16;
  /** Bits of it that mean something, from bit `shift` up. */
  readonly bitsStored: number;
  readonly shift: number;
  readonly signed: boolean;
  /** Colour by planes: RR.. GG.. BB.., else RGBRGB... */
  readonly planar: boolean;
  /** Words of 16 bits are big endian. */
  readonly bigEndian: boolean;
  /** How grey is to be shown, by frame. */
  readonly greyScale: (frame: number) => GreyScale;
  /** Only of PALETTE COLOR. */
  readonly palette: Palette | null;
  /** First byte of the pixels in the parsed content. */
  readonly pixelsAt: number;
  /** Bytes of the pixels; null: encapsulated, in fragments. */
  readonly pixelBytes: number | null;
}

const PHOTOMETRICS = [
  'MONOCHROME1',
  'MONOCHROME2',
  'PALETTE COLOR',
  'RGB',
  'YBR_FULL',
  'YBR_FULL_422',
  'YBR_ICT',
  'YBR_RCT',
] as const;
export type Photometric = (typeof PHOTOMETRICS)[number];

/** Beside the pixels, what else may hold them: as floating point, not read. */
const FLOAT_PIXELS = ['x7fe00008', 'x7fe00009'];
const UNDEFINED_LENGTH = 0xffffffff;

/** @throws UnscorableError when there are no pixels, or none that can be read. */
export function readHeader({ elements, syntax }: Parsed): DicomHeader {
  const pixels = elements.elements[PIXEL_DATA];
  if (FLOAT_PIXELS.some((tag) => elements.elements[tag] !== undefined))
    throw unsupported('its pixels are floating-point numbers');
  if (pixels === undefined) {
    const end = elements.byteArray.length;
    if (Object.values(elements.elements).some((e) => e.tag > 'x0002ffff' && e.dataOffset + e.length > end))
      throw truncated('it ends within its header');
    throw new UnscorableError('no-pixels', 'The DICOM file holds no pixels: a report, a plan or a waveform.');
  }
  const codec = codecOf(syntax);
  if (codec === undefined) {
    const named = /^[0-9.]{1,64}$/.test(syntax) ? ` ${syntax}` : '';
    throw unsupported(`its transfer syntax${named} is not read`);
  }
  const photometric = readPhotometric(elements);
  const width = elements.uint16('x00280011') ?? 0;
  const height = elements.uint16('x00280010') ?? 0;
  const samples = elements.uint16('x00280002') ?? 1;
  const bitsAllocated = elements.uint16('x00280100') ?? 0;
  const bitsStored = elements.uint16('x00280101') ?? bitsAllocated;
  const shift = (elements.uint16('x00280102') ?? bitsStored - 1) + 1 - bitsStored;
  if (width === 0 || height === 0) throw corrupt(`its size is ${width} x ${height} pixels`);
  const colour = !['MONOCHROME1', 'MONOCHROME2', 'PALETTE COLOR'].includes(photometric);
  if (samples !== (colour ? 3 : 1)) throw corrupt(`${photometric} cannot have ${samples} samples a pixel`);
  if (bitsAllocated !== 1 && bitsAllocated !== 8 && bitsAllocated !== 16)
    throw unsupported(`its samples have ${bitsAllocated} bits; 1, 8 and 16 are read`);
  if (bitsStored < 1 || shift < 0 || bitsStored + shift > bitsAllocated)
    throw corrupt(`${bitsStored} bits from bit ${shift} do not fit into ${bitsAllocated}`);
  if (bitsAllocated === 1 && (codec !== 'native' || colour)) throw unsupported('one bit a sample, encoded');
  if (photometric === 'YBR_FULL_422' && codec === 'native' && (bitsAllocated !== 8 || width % 2 === 1))
    throw unsupported('YBR_FULL_422 of an odd width, or of more than 8 bits');
  const encapsulated = pixels.length === UNDEFINED_LENGTH;
  if (encapsulated !== (codec !== 'native'))
    throw corrupt(`its pixels are ${encapsulated ? '' : 'not '}in fragments, unlike its transfer syntax`);
  const frames = readFrames(elements);
  const signed = elements.uint16('x00280103') === 1;
  return {
    width,
    height,
    frames,
    codec,
    samples,
    photometric,
    bitsAllocated,
    bitsStored,
    shift,
    signed,
    planar: colour && elements.uint16('x00280006') === 1,
    bigEndian: syntax === EXPLICIT_BIG_ENDIAN,
    greyScale: (frame) => readGreyScale(elements, frame, { signed }),
    palette: photometric === 'PALETTE COLOR' ? readPalette(elements) : null,
    pixelsAt: pixels.dataOffset,
    pixelBytes: encapsulated ? null : pixels.length,
  };
}

function readPhotometric(elements: DataSet): Photometric {
  const name = elements.string('x00280004')?.trim();
  const known = PHOTOMETRICS.find((p) => p === name);
  if (known === undefined) throw unsupported('its photometric interpretation is none that is known');
  return known;
}

function readFrames(elements: DataSet): number {
  const frames = elements.intString('x00280008') ?? 1;
  if (!Number.isInteger(frames) || frames < 0) throw corrupt('its number of frames is no number');
  return Math.max(1, frames);
}
