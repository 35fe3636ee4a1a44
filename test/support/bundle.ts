/** Tiny bundles for tests: an ONNX graph written by hand, no training needed. */
import path from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import sharp from 'sharp';
import { makeBundle as assemble, type Bundle, writeBundle } from '../../agent/inspect/bundle.ts';
import { openScorer, type Scores } from '../../agent/inspect/score.ts';
import { deriveBounds } from '../../agent/inspect/threshold.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { ThresholdRule } from '../../config/threshold.ts';
import { noisyPixels, smoothPixels } from './images.ts';

const SIZE = 32;
const FLOAT = 1;
const UINT8 = 2;
const INT64 = 7;

const MEASUREMENTS = {
  voices: [{ name: 'texture-foreground' }],
  statistics: [{ name: 'brightness' }, { name: 'contrast' }],
};

export interface TestBundle extends Bundle {
  readonly path: string;
}

/**
 * Writes `folder/bundle.onnx`, whose "autoencoder" reconstructs a 4x4-blurred image: smooth images (`smoothPixels`)
 * pass, noisy ones (`noisyPixels`) are called for review. Input 32x32 RGB, 39 calibration scores. With `measures` it
 * has the voice `texture-foreground` (logarithm of the score) and the statistics `brightness` and `contrast` (variance).
 */
export async function makeTestBundle(
  folder: string,
  options: {
    readonly change?: (content: Omit<Manifest, 'digest'>) => Omit<Manifest, 'digest'>;
    readonly rule?: ThresholdRule;
    readonly measures?: boolean;
  } = {},
): Promise<TestBundle> {
  const measures = options.measures ?? false;
  const bare = blurModel(measures);
  const pixels = Array.from({ length: 39 }, (_, i) => smoothPixels(SIZE, i));
  const draft = { ...manifestContent([0.001], [], options.rule), ...(measures && MEASUREMENTS) };
  const scorer = await openScorer(assemble(bare, draft), { executionProvider: 'cpu', threads: 1 });
  const scoreOf = async (p: Uint8Array) => (await scorer.score(p, 1)).score[0]!;
  const good: Scores[] = [];
  for (const p of pixels) good.push(await scorer.score(p, 1));
  const ascending = (measure: (one: Scores) => number) => good.map(measure).sort((a, b) => a - b);
  const scores = ascending(({ score }) => score[0]!);
  const golden = [];
  for (const p of [smoothPixels(SIZE, 100), noisyPixels(SIZE, 101)]) {
    const png = await sharp(p, { raw: { width: SIZE, height: SIZE, channels: 3 } })
      .png()
      .toBuffer();
    golden.push({ png: png.toString('base64'), score: await scoreOf(p) });
  }
  await scorer.close();
  const plain = manifestContent(scores, golden, options.rule);
  const values = () => ({
    voices: { 'texture-foreground': ascending(({ voices }) => voices![0]!) },
    statistics: {
      brightness: ascending(({ statistics }) => statistics![0]!),
      contrast: ascending(({ statistics }) => statistics![1]!),
    },
  });
  const content = measures
    ? { ...plain, ...MEASUREMENTS, calibration: { ...plain.calibration, ...values() } }
    : plain;
  const bundle = assemble(bare, options.change?.(content) ?? content);
  const file = path.join(folder, 'bundle.onnx');
  await writeBundle(file, bundle);
  return { ...bundle, path: file };
}

function manifestContent(
  scores: number[],
  samples: Manifest['golden']['samples'],
  rule: ThresholdRule = { rule: 'conformal', alpha: 0.05 },
): Omit<Manifest, 'digest'> {
  const enough = scores.length > 1 ? rule : ({ rule: 'fixed', value: 1 } as const);
  return {
    format: 1,
    name: 'blur',
    version: '1',
    intendedUse: 'Tests.',
    preprocessing: {
      width: SIZE,
      height: SIZE,
      channels: 3,
      frames: 1,
      crop: 'none',
      fit: 'fill',
      kernel: 'lanczos3',
    },
    residual: 'squared',
    score: 'mean',
    calibration: { scores, mapAlarm: 0.01 },
    threshold: { rule: enough, ...deriveBounds(enough, scores), revision: 1 },
    golden: { tolerance: 1e-4, samples: samples.length > 0 ? samples : [{ png: 'AAAA', score: 0 }] },
    provenance: {
      recipe: {},
      data: {
        train: 0,
        validation: 0,
        calibration: scores.length,
        refused: 0,
        duplicates: 0,
        digest: 'none',
      },
      seed: 0,
      epochs: 1,
      bestEpoch: 1,
      validationLoss: 0,
      backend: 'none',
      trainer: '0',
      encoder: null,
    },
  };
}

/**
 * image uint8 `[N, 32, 32, 3]` -> score `[N]`, map `[N, 32, 32]`, reconstruction uint8 `[N, 32, 32, 3]`, and where it
 * `measures` voices `[N, 1]`, statistics `[N, 2]`.
 */
function blurModel(measures: boolean): Uint8Array {
  const attribute = (name: string, value: number | number[] | string) =>
    typeof value === 'string'
      ? create(AttributeProtoSchema, { name, type: 3, s: new TextEncoder().encode(value) })
      : Array.isArray(value)
        ? create(AttributeProtoSchema, { name, type: 7, ints: value.map(BigInt) })
        : create(AttributeProtoSchema, { name, type: 2, i: BigInt(value) });
  const node = (
    opType: string,
    input: string[],
    output: string,
    attributes: Record<string, number | number[] | string> = {},
  ) =>
    create(NodeProtoSchema, {
      opType,
      input,
      output: [output],
      attribute: Object.entries(attributes).map(([k, v]) => attribute(k, v)),
    });
  const raw = (array: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>) => new Uint8Array(array.buffer);
  const value = (name: string, elemType: number, dims: (string | number)[]) =>
    create(ValueInfoProtoSchema, {
      name,
      type: create(TypeProtoSchema, {
        value: {
          case: 'tensorType',
          value: create(TypeProto_TensorSchema, {
            elemType,
            shape: create(TensorShapeProtoSchema, {
              dim: dims.map((d) =>
                create(TensorShapeProto_DimensionSchema, {
                  value:
                    typeof d === 'string'
                      ? { case: 'dimParam', value: d }
                      : { case: 'dimValue', value: BigInt(d) },
                }),
              ),
            }),
          }),
        },
      }),
    });
  const floats = (name: string, dims: number[], values: number[]) =>
    create(TensorProtoSchema, {
      name,
      dataType: FLOAT,
      dims: dims.map(BigInt),
      rawData: raw(Float32Array.from(values)),
    });
  const ints = (name: string, values: number[]) =>
    create(TensorProtoSchema, {
      name,
      dataType: INT64,
      dims: [BigInt(values.length)],
      rawData: raw(BigInt64Array.from(values, BigInt)),
    });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: 18n })],
      graph: create(GraphProtoSchema, {
        name: 'blur',
        initializer: [
          floats('scale', [], [255]),
          floats('scales', [4], [1, 1, 4, 4]),
          ints('all', [1, 2, 3]),
          ints('channel', [3]),
          ints('second', [1]),
        ],
        input: [value('image', UINT8, ['N', SIZE, SIZE, 3])],
        output: [
          value('score', FLOAT, ['N']),
          value('map', FLOAT, ['N', SIZE, SIZE]),
          value('reconstruction', UINT8, ['N', SIZE, SIZE, 3]),
          ...(measures ? [value('voices', FLOAT, ['N', 1]), value('statistics', FLOAT, ['N', 2])] : []),
        ],
        node: [
          node('Cast', ['image'], 'float', { to: FLOAT }),
          node('Div', ['float', 'scale'], 'x'),
          node('Transpose', ['x'], 'nchw', { perm: [0, 3, 1, 2] }),
          node('AveragePool', ['nchw'], 'small', { kernel_shape: [4, 4], strides: [4, 4] }),
          node('Resize', ['small', '', 'scales'], 'large', { mode: 'linear' }),
          node('Transpose', ['large'], 'y', { perm: [0, 2, 3, 1] }),
          node('Sub', ['x', 'y'], 'difference'),
          node('Mul', ['difference', 'difference'], 'squared'),
          node('ReduceMean', ['squared', 'all'], 'score', { keepdims: 0 }),
          node('ReduceMean', ['squared', 'channel'], 'map', { keepdims: 0 }),
          node('Mul', ['y', 'scale'], 'scaled'),
          node('Round', ['scaled'], 'rounded'),
          node('Cast', ['rounded'], 'reconstruction', { to: UINT8 }),
          ...(measures
            ? [
                node('Log', ['score'], 'log'),
                node('Unsqueeze', ['log', 'second'], 'voices'),
                node('ReduceMean', ['x', 'all'], 'mean'),
                node('Sub', ['x', 'mean'], 'centred'),
                node('Mul', ['centred', 'centred'], 'deviation'),
                node('ReduceMean', ['deviation', 'all'], 'variance', { keepdims: 0 }),
                node('Squeeze', ['mean', 'all'], 'brightness'),
                node('Unsqueeze', ['brightness', 'second'], 'first'),
                node('Unsqueeze', ['variance', 'second'], 'last'),
                node('Concat', ['first', 'last'], 'statistics', { axis: 1 }),
              ]
            : []),
        ],
      }),
    }),
  );
}
