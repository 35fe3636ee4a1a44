/** The DICOM files of the benchmark data, against pictures that pydicom gave of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { decode } from '../../../agent/inspect/decode.ts';
import { openDicom } from '../../../agent/inspect/dicom/image.ts';
import { UnscorableError } from '../../../agent/inspect/inspection.ts';

const folder = path.join(import.meta.dirname, '../../../../shared/data/dicom');
const skip = existsSync(folder) ? false : `no DICOM files in ${folder}`;
const LIMITS = { pixels: 1e8, bytes: 2 ** 28 };

/**
 * First 16 digits of SHA-256 of the first frame, 8 bits, as pydicom 3.0.2 with pylibjpeg 2.1.0 gives it: modality and
 * window by its own values (linear, PS3.3 C.11.2.1.2), rounded half to even; without a window from the least to the
 * largest value, up to 8 bits as stored. Found once, outside of this repository.
 */
const EXACT: Record<string, string> = {
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.1.99_DeflatedExplicitVRLittleEndian': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.1_LittleEndianExplicit': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.2_BigEndianExplicit': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.57_JPEGProcess14': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.70_JPEGProcess14SV1': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.80_JPEGLSLossless': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.81_JPEGLSLossy': '0dd059aa34c97fb8',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.90_JPEG2000LosslessOnly': '274018eb6faf1bfe',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.91_JPEG2000': 'ee343853969fb98c',
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.5_RLELossless': '274018eb6faf1bfe',
  'mr/MR2_J2KI': '0a67ba4af962d175',
  'mr/MR_small': '38ab8d87e706bf8d',
  'mr/MR_small_RLE': '38ab8d87e706bf8d',
  'mr/MR_small_bigendian': '38ab8d87e706bf8d',
  'mr/MR_small_implicit': '38ab8d87e706bf8d',
  'mr/MR_small_jp2klossless': '38ab8d87e706bf8d',
  'mr/MR_small_jpeg_ls_lossless': '38ab8d87e706bf8d',
  'mr/emri_small': '65cca41ad5412325',
  'mr/emri_small_RLE': '65cca41ad5412325',
  'mr/emri_small_jpeg_2k_lossless': '65cca41ad5412325',
  'mr/examples_overlay': 'd8f02f59401c24f2',
  'other/CT_small': '93a18f934884c6cf',
  'other/GDCMJ2K_TextGBR': 'bea5673fdd49313f',
  'other/JPEG-LL': '09d84f3f5a7fb63c',
  'other/JPGLosslessP14SV1_1s_1f_8b': '1ae8d1abc08531fc',
  'other/SC_rgb': '169e619557b12114',
  'other/SC_rgb_16bit': '169e619557b12114',
  'other/SC_rgb_jpeg_dcmtk': 'ddb100d8f45a7fbf',
  'other/SC_rgb_jpeg_gdcm': '169e619557b12114',
  'other/SC_rgb_rle': '169e619557b12114',
  'other/SC_rgb_rle_16bit': '169e619557b12114',
  'other/SC_rgb_small_odd': 'ef2df252ba3cd066',
  'other/SC_ybr_full_422_uncompressed': 'ddb100d8f45a7fbf',
  'other/examples_palette': '322156a65198e9be',
  'other/vlut_04': '74853be063ef5655',
  'xray/RG1_J2KI': 'cfab42ef0912b025',
  'xray/RG3_J2KI': 'b12efe2dfbca271f',
  'xray/RG3_J2KR': '723a668ac381483d',
};

/** Mean grey of pydicom's picture where the encoding is lossy and decoders may differ by rounding. */
const LOSSY: Record<string, number> = {
  'ct-transfer-syntaxes/ct0012_fragmented_no_bot_1.2.840.10008.1.2.4.51': 96.359,
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.50_JPEGProcess1': 43.189,
  'ct-transfer-syntaxes/ct_1.2.840.10008.1.2.4.51_JPEGProcess2_4': 47.067,
  'other/SC_jpeg_no_color_transform': 243.973,
};

const REFUSED: Record<string, string> = {
  'malformed/ExplVR_LitEndNoMeta': 'no-pixels',
  'malformed/MR_truncated': 'truncated',
  'malformed/meta_missing_tsyntax': 'corrupt',
  'malformed/no-pixel-data': 'no-pixels',
  'malformed/no_meta': 'unsupported-format', // begins with a space before its first element
  'malformed/rtplan_truncated': 'truncated',
  'malformed/test-SR': 'no-pixels',
};

const read = (name: string) => readFileSync(path.join(folder, `${name}.dcm`));
const frame = async (name: string) => (await openDicom(read(name), 'file', LIMITS.bytes).render(0)).data;
const mean = (data: Uint8Array) => data.reduce((sum, v) => sum + v, 0) / data.length;

test('what another decoder shows, to the last bit', { skip }, async () => {
  for (const [name, digest] of Object.entries(EXACT)) {
    const shown = createHash('sha256')
      .update(await frame(name))
      .digest('hex');
    assert.equal(shown.slice(0, 16), digest, name);
  }
});

test('lossy encodings show what another decoder shows, but for rounding', { skip }, async () => {
  for (const [name, expected] of Object.entries(LOSSY)) {
    const found = mean(await frame(name));
    assert.ok(Math.abs(found - expected) < 0.2, `${name}: mean ${found}, expected ${expected}`);
  }
});

test('one slice in 14 transfer syntaxes is one picture: exactly where lossless', { skip }, async () => {
  const names = globSync('ct-transfer-syntaxes/ct_*.dcm', { cwd: folder }).map((f) => f.slice(0, -4));
  assert.equal(names.length, 14);
  const reference = await frame(names.find((n) => n.includes('LittleEndianExplicit'))!);
  let equal = 0;
  for (const name of names) {
    const data = await frame(name);
    const difference = data.reduce((sum, v, i) => sum + Math.abs(v - reference[i]!), 0) / data.length;
    if (/JPEGProcess1\b|Process2_4|Process6_8|Process10_12|Lossy|JPEG2000$/.test(name))
      assert.ok(
        difference < (name.includes('JPEGProcess1') ? 8 : 1.5),
        `${name}: mean difference ${difference}`,
      );
    else assert.equal(difference, 0, name);
    if (difference === 0) equal++;
  }
  assert.equal(equal, 8);
});

test('the others are refused, each for its reason', { skip }, async () => {
  for (const [name, reason] of Object.entries(REFUSED))
    await assert.rejects(
      frame(name),
      (error) => error instanceof UnscorableError && error.reason === reason,
      name,
    );
});

test("every file ends in a picture of the model's size, or in a reason", { skip }, async () => {
  const spec = {
    width: 64,
    height: 64,
    channels: 3,
    frames: 4,
    crop: 'foreground',
    fit: 'contain',
    kernel: 'lanczos3',
  } as const;
  const files = globSync('**/*.dcm', { cwd: folder });
  assert.equal(files.length, 52);
  let pictures = 0;
  for (const file of files)
    await decode(readFileSync(path.join(folder, file)), spec, LIMITS).then(
      ({ pixels }) => {
        assert.equal(pixels.length, 64 * 64 * 3 * 4);
        pictures++;
      },
      (error) => assert.ok(error instanceof UnscorableError, `${file}: ${error}`),
    );
  assert.equal(pictures, 52 - Object.keys(REFUSED).length);
});
