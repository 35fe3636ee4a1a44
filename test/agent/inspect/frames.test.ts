import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
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
import { makeBundle, writeBundle } from '../../../agent/inspect/bundle.ts';
import { drawBeside } from '../../../agent/inspect/draw.ts';
import { loadInspector } from '../../../agent/inspect/inspect.ts';
import { openScorer } from '../../../agent/inspect/score.ts';
import { makeTestBundle } from '../../support/bundle.ts';
import { sequence } from './preprocessingFixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-frames-'));
after(() => rmSync(folder, { recursive: true }));
const [FRAMES, SIZE] = [3, 8];
const [FLOAT, UINT8, INT64] = [1, 2, 7];

/**
 * image uint8 `[N, 3, 8, 8, 1]` -> score: mean of the last frame, map: mean of the frames `[N, 8, 8]`, reconstruction:
 * the middle frame `[N, 8, 8, 1]`.
 */
function sequenceModel(): Uint8Array {
  const value = (name: string, elemType: number, dims: (string | number)[]) => {
    const dim = dims.map((d) =>
      create(TensorShapeProto_DimensionSchema, {
        value:
          typeof d === 'string' ? { case: 'dimParam', value: d } : { case: 'dimValue', value: BigInt(d) },
      }),
    );
    const shape = create(TensorShapeProtoSchema, { dim });
    const tensor = create(TypeProto_TensorSchema, { elemType, shape });
    return create(ValueInfoProtoSchema, {
      name,
      type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
    });
  };
  const node = (opType: string, input: string[], output: string, attributes: Record<string, number> = {}) => {
    const attribute = Object.entries(attributes).map(([name, i]) =>
      create(AttributeProtoSchema, { name, type: 2, i: BigInt(i) }),
    );
    return create(NodeProtoSchema, { opType, input, output: [output], attribute });
  };
  const ints = (name: string, values: number[], dims = [values.length]) =>
    create(TensorProtoSchema, {
      name,
      dataType: INT64,
      dims: dims.map(BigInt),
      rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
    });
  const graph = create(GraphProtoSchema, {
    name: 'sequence',
    initializer: [
      ints('last', [2], []),
      ints('middle', [1], []),
      ints('pixels', [1, 2, 3]),
      ints('depth', [1, 4]),
    ],
    input: [value('image', UINT8, ['N', FRAMES, SIZE, SIZE, 1])],
    output: [
      value('score', FLOAT, ['N']),
      value('map', FLOAT, ['N', SIZE, SIZE]),
      value('reconstruction', UINT8, ['N', SIZE, SIZE, 1]),
    ],
    node: [
      node('Cast', ['image'], 'x', { to: FLOAT }),
      node('Gather', ['x', 'last'], 'end', { axis: 1 }),
      node('ReduceMean', ['end', 'pixels'], 'score', { keepdims: 0 }),
      node('ReduceMean', ['x', 'depth'], 'map', { keepdims: 0 }),
      node('Gather', ['image', 'middle'], 'reconstruction', { axis: 1 }),
    ],
  });
  const opsetImport = [create(OperatorSetIdProtoSchema, { domain: '', version: 18n })];
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n, opsetImport, graph }));
}

test('a graph of several frames scores a sequence, and the middle frame is shown', async () => {
  const { manifest } = await makeTestBundle(folder);
  const { digest: _, ...content } = manifest;
  const still = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#646464' } })
    .png()
    .toBuffer();
  const bundle = makeBundle(sequenceModel(), {
    ...content,
    preprocessing: { ...content.preprocessing, width: SIZE, height: SIZE, channels: 1, frames: FRAMES },
    golden: { tolerance: 1e-6, samples: [{ png: still.toString('base64'), score: 100 }] },
  });
  const bundlePath = path.join(folder, 'sequence.onnx');
  await writeBundle(bundlePath, bundle);
  const options = { executionProvider: 'cpu', threads: 1 } as const;
  const inspector = await loadInspector({ bundlePath, ...options, limits: { pixels: 1e6, bytes: 1e6 } });
  try {
    const { inspection, scores, pixels } = await inspector.inspectWithMap(
      await sequence([0, 120, 240], 'tiff'),
    );
    assert.ok(inspection.outcome === 'scored');
    assert.equal(inspection.score, 240, 'frames in their order');
    assert.deepEqual(
      [scores!.map.length, scores!.mapHeight, scores!.mapWidth, scores!.map[0]],
      [64, 8, 8, 120],
    );
    assert.deepEqual([scores!.reconstruction!.length, scores!.reconstruction![0]], [64, 120]);
    const drawn = await drawBeside(pixels!, scores!.map, { width: 8, height: 8 }, inspector.bundle.manifest);
    const { data } = await sharp(drawn).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([...data.subarray(0, 3)], [120, 120, 120], 'the middle frame is drawn');
  } finally {
    await inspector.close();
  }
  const scorer = await openScorer(bundle, options);
  const two = await scorer.score(
    Uint8Array.from({ length: 2 * FRAMES * 64 }, (_v, i) => i / 64),
    2,
  );
  assert.deepEqual([...two.score], [2, 5], 'two captures at once');
  await scorer.close();
});
