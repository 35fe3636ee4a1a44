/** What cannot be converted is named: the operation or class, the node or layer, the file, and the nearest thing that works. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { deregisterOp, registerOp } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { convertModel } from '../../convert/convert.ts';
import { modelFiles } from '../../convert/files.ts';
import { traceableGraph } from '../../convert/graph_model.ts';
import { trace } from '../../convert/trace.ts';
import { checkGraph } from './support/check_graph.ts';
import { attribute, type GraphDef, graphArtifacts, type NodeDef, placeholder } from './support/graph_defs.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');
const root = await mkdtemp(join(tmpdir(), 'plumbline-refusals-'));
after(() => rm(root, { recursive: true }));

const F = { T: attribute.type('DT_FLOAT') };
const node = (op: string, name: string, input: string[], attr: NodeDef['attr'] = F): NodeDef => ({
  ...{ name, op, input, attr },
});

/** A layer as a model's JSON holds it. */
interface Saved {
  class_name: string;
  config: Record<string, unknown>;
}

const dense = () => [
  layers.dense({ inputShape: [4], units: 3, name: 'first' }),
  layers.dense({ units: 2, name: 'last' }),
];

let saves = 0;

/** The layers in turn, saved, with their JSON changed as by Keras or a hand. */
async function saved(list: layers.Layer[], edit: (layers: Saved[]) => void, version = '2.15.0') {
  const folder = join(root, `model-${saves++}`);
  await sequential({ layers: list }).save(modelFiles(folder));
  const file = join(folder, 'model.json');
  const json = JSON.parse(await readFile(file, 'utf8'));
  json.modelTopology.keras_version = version;
  edit(json.modelTopology.config.layers);
  await writeFile(file, JSON.stringify(json));
  return file;
}

const refused = (file: string, ...expected: RegExp[]) =>
  assert.rejects(convertModel(file), ({ message }: Error) => {
    for (const one of [...expected, new RegExp(`cannot load ${file}`)]) assert.match(message, one);
    return true;
  });

describe('a layers model', () => {
  test('lists all classes that nobody has registered and all settings that are passed over, before it is built', async () => {
    const file = await saved(dense(), (list) => {
      list[0]!.config.activation = 'leaky_elu';
      list.splice(
        1,
        0,
        { class_name: 'Dence', config: { name: 'typo' } },
        {
          class_name: 'TimeDistributed',
          config: { layer: { class_name: 'Mine', config: { name: 'inner' } } },
        },
        { class_name: 'Lambda', config: { name: 'code' } },
        { class_name: 'LayerNormalization', config: { name: 'even', rms_scaling: true } },
        { class_name: 'Conv1D', config: { name: 'grouped', groups: 2 } },
      );
    });
    await refused(
      file,
      /6 things stand in the way/,
      /layer first \(Dense\) has the activation leaky_elu.*known are elu, .*hard_sigmoid/,
      /layer typo is of class Dence.*nearest by name: Dense/,
      /\n {2}A class of your own: .*tf\.serialization\.registerClass.*convertModel\(\).*tfjs_graph_model\)$/,
      /layer inner is of class Mine/,
      /layer code is of class Lambda.*holds Python code/,
      /layer even \(LayerNormalization\) has rms_scaling true/,
      /layer grouped \(Conv1D\) has groups 2/,
    );
  });

  test('with a class of its own converts where that is registered', async () => {
    class Doubled extends layers.Layer {
      static readonly className = 'Doubled';
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.mul([inputs].flat()[0]!, 2);
      }
    }
    tf.serialization.registerClass(Doubled as never);
    const file = await saved(
      [...dense(), new Doubled({ name: 'twice' })],
      () => undefined,
      'tfjs-layers 4.22.0',
    );
    const { check } = await convertModel(file, { check: {} });
    assert.ok(check!.relative <= 1e-4);
    const { classNameMap } = tf.serialization.SerializationMap.getMap();
    delete (classNameMap as Record<string, unknown>).Doubled;
    await refused(file, /layer twice is of class Doubled.*write the step with layers of TensorFlow\.js/);
  });

  test('is read whatever its first values, and in inference whatever its regularizers, constraints and loss', async () => {
    const edit = (list: Saved[]) => {
      Object.assign(list[0]!.config, {
        kernel_initializer: { class_name: 'LecunNormal', config: {} },
        kernel_regularizer: { class_name: 'L2', config: { l2: 0.01 } },
        kernel_constraint: { class_name: 'Mine', config: {} },
      });
    };
    const plain = await convertModel(await saved(dense(), () => undefined));
    assert.equal(plain.bytes.length, (await convertModel(await saved(dense(), edit))).bytes.length);
    await assert.rejects(
      async () => loadLayersModel(modelFiles(await saved(dense(), edit))),
      /layer first \(Dense\) has the regularizer L2.*\n.*layer first \(Dense\) has the constraint Mine/,
    );
  });

  test('says which layer TensorFlow.js could not make, or give its weights', async () => {
    const units = (value: unknown) =>
      saved(dense(), (list) => Object.assign(list[1]!.config, { units: value }));
    await refused(
      await units('many'),
      /layer last, class Dense: Expected units to be a positive integer.*\. TensorFlow\.js cannot make it of its settings/,
    );
    await refused(
      await units(5),
      /weight last\/kernel: Shape mismatch: \[3,5\] vs\. \[3,2\]\. .*save the model again/,
    );
    const merged = await saved(dense(), (list) => {
      list[1] = { class_name: 'Dot', config: { name: 'merged', axes: 1 } };
    });
    await refused(merged, /layer merged, class Dot: /);
  });

  test('without layers, or with two of one name, or of a size that no memory holds, says so', async () => {
    await refused(
      await saved(dense(), (list) => list.splice(0)),
      /the model \w+ has no layers; save the model again/,
    );
    const twice = await saved(dense(), (list) => Object.assign(list[1]!.config, { name: 'first' }));
    await refused(twice, /two layers of the model \w+ are named first; give each a name of its own/);
    const huge = await saved(dense(), (list) => Object.assign(list[1]!.config, { units: 1e12 }));
    await refused(huge, /layer last, class Dense: .* more numbers than memory can hold/);
  });

  test('says which layer was being computed', async () => {
    const masked = await saved(
      [layers.masking({ inputShape: [5, 3] }), layers.softmax({ name: 'behind' })],
      () => undefined,
    );
    await assert.rejects(
      convertModel(masked),
      /^Error: layer behind, class Softmax: .*do not broadcast.*Express/,
    );
    const text = await saved(dense(), (list) => Object.assign(list[0]!.config, { dtype: 'string' }));
    await assert.rejects(convertModel(text), /input first_input holds strings, .*Turn it into such numbers/);
  });

  test('with softmax along another axis than the last converts', async () => {
    const model = sequential({
      layers: [
        layers.conv2d({ inputShape: [4, 5, 3], filters: 2, kernelSize: 1 }),
        layers.softmax({ axis: 1 }),
      ],
    });
    const file = join(root, 'softmax');
    await model.save(modelFiles(file));
    const { check } = await convertModel(file, { check: {} });
    assert.ok(check!.relative <= 1e-4);
  });

  test('says nothing of its own about unrolling', async () => {
    const said: unknown[] = [];
    const { warn } = console;
    console.warn = (...words: unknown[]) => said.push(words);
    try {
      const recurrent = layers.simpleRNN({ inputShape: [4, 3], units: 2, recurrentInitializer: 'zeros' });
      await convertModel(
        await saved([recurrent], ([layer]) => Object.assign(layer!.config, { unroll: true })),
        {
          check: {},
        },
      );
    } finally {
      console.warn = warn;
    }
    assert.deepEqual(said, []);
  });
});

describe('a graph model', () => {
  const constants = { w: { values: [1, 2, 3], shape: [3, 1], dtype: 'float32' as const } };
  const unknown: GraphDef = {
    constants,
    nodes: [
      placeholder('x', [-1, 3]),
      node('Abs', 'positive', ['x']),
      node('MyOp', 'mine', ['positive']),
      node('BatchMatMulV3', 'product', ['mine', 'w']),
      node('Neg', 'y', ['product']),
      node('Other', 'unused', ['x']),
    ],
  };

  test('lists all operations that nobody knows and that are needed, and where to cut before them', async () => {
    await assert.rejects(
      traceableGraph(graphArtifacts(unknown), { outputs: ['y'] }),
      ({ message }: Error) => {
        const lines = message.split('\n');
        assert.equal(lines.length, 4);
        assert.match(
          lines[1]!,
          /node mine, operation MyOp, is unknown to TensorFlow\.js\. .*registerOp\('MyOp'/,
        );
        assert.match(lines[2]!, /node product, operation BatchMatMulV3.*nearest by name: BatchMatMulV2/);
        assert.match(lines[3]!, /--outputs positive;/);
        return true;
      },
    );
    assert.equal((await checkGraph(unknown, ['positive'])).relative, 0);
    const first = { nodes: [placeholder('x', [-1, 3]), node('MyOp', 'y', ['x'])] };
    await assert.rejects(
      traceableGraph(graphArtifacts(first)),
      ({ message }: Error) => !message.includes('--outputs'),
    );
  });

  test('takes a node as an output by its name with or without a port, and refuses one that is not there, or twice', async () => {
    const graph: GraphDef = {
      nodes: [placeholder('x', [-1, 3]), node('Abs', 'positive', ['x']), node('Neg', 'y', ['positive'])],
    };
    const folder = join(root, 'ports');
    await mkdir(folder);
    const { modelTopology, weightSpecs } = graphArtifacts(graph);
    const weightsManifest = [{ paths: [], weights: weightSpecs }];
    const json = { format: 'graph-model', modelTopology, weightsManifest };
    await writeFile(join(folder, 'model.json'), JSON.stringify(json));
    const { inputs, outputs, check } = await convertModel(folder, {
      ...{ outputs: ['positive:0'], shapes: { 'x:0': [5, 3] } },
      ...{ names: { 'x:0': 'given', 'positive:0': 'size' }, check: {} },
    });
    assert.deepEqual([inputs[0]!.name, inputs[0]!.shape, outputs], ['given', [5, 3], ['size']]);
    assert.equal(check!.batch, 5);
    for (const [wanted, expected] of [
      [
        ['positve'],
        /no node "positve" \(nearest by name: positive\); its outputs are y, .* of its 3 nodes: x, positive, y$/,
      ],
      [[''], /no node ""/],
      [['y', 'y'], /the output y is asked for twice; name it once/],
      [['y', 'y:0'], /the output y is asked for twice; name it once/],
    ] as ReadonlyArray<[string[], RegExp]>)
      await assert.rejects(convertModel(folder, { outputs: wanted }), expected);
  });

  test('names operations that nobody knows within its functions', async () => {
    const named = {
      name: 'named',
      inputs: [['x', 'DT_FLOAT']],
      outputs: [['y', 'DT_FLOAT', 'inner:y:0']],
    } as const;
    const graph = {
      nodes: [
        placeholder('x', [-1, 3]),
        node('StatelessIf', 'y', ['x', 'x'], {
          then_branch: attribute.fn('named'),
          else_branch: attribute.fn('named'),
        }),
      ],
      functions: [{ ...structuredClone(named), nodes: [node('MyOp', 'inner', ['x'])] }] as never,
    };
    await assert.rejects(traceableGraph(graphArtifacts(graph)), /node inner, operation MyOp, is unknown/);
  });

  test('with an operation of its own converts where that has an executor', async () => {
    registerOp('MyOp', ({ inputs }) => tf.mul(inputs[0]!, 3));
    try {
      const found = await checkGraph(unknown, ['mine']);
      assert.ok(found.relative <= 1e-4 && found.compared > 0);
    } finally {
      deregisterOp('MyOp');
    }
  });

  for (const [what, graph, expected] of [
    [
      'batch normalization in training',
      {
        nodes: [
          placeholder('x', [-1, 2, 2, 3]),
          node('Abs', 'positive', ['x']),
          node('FusedBatchNormV3', 'y', ['positive', 's', 's', 's', 's'], {
            ...F,
            is_training: attribute.bool(true),
          }),
        ],
        constants: { s: { values: [1, 1, 1], shape: [3], dtype: 'float32' } },
      },
      /node y, operation FusedBatchNormV3, normalizes by each batch.*is_training=False.*--outputs positive/,
    ],
    [
      'an input of strings',
      {
        nodes: [
          { ...placeholder('x', [-1]), attr: { dtype: attribute.type('DT_STRING') } },
          node('Identity', 'y', ['x']),
        ],
      },
      /input x holds strings, .*Turn it into such numbers/,
    ],
    [
      'a node that reads what is not there',
      { nodes: [placeholder('x', [-1, 3]), node('Neg', 'y', ['z'])] },
      /node y reads z, which the graph does not have: export the model again/,
    ],
    [
      'sizes that do not fit',
      {
        nodes: [
          placeholder('x', [-1, 2]),
          node('Abs', 'positive', ['x']),
          node('MatMul', 'y', ['positive', 'w']),
        ],
        constants,
      },
      /node y, operation MatMul: matMul of shapes .*inner sizes 2 and 3 differ\. .*--outputs positive/,
    ],
    [
      'several operations without a translation',
      {
        nodes: [
          placeholder('x', [-1, 3]),
          node('Where', 'places', ['x'], {}),
          node('RFFT', 'spectrum', ['x', 'l']),
        ],
        constants: { l: { values: [3], shape: [1], dtype: 'int32' } },
      },
      /operation (RFFT|Where), cannot be converted: .*\n {2}node \w+, operation (RFFT|Where), may be no better: /,
    ],
    [
      'a use of a kernel without a translation',
      {
        nodes: [
          placeholder('x', [-1, 4, 2, 2]),
          node('DepthToSpace', 'y', ['x'], {
            block_size: attribute.int(2),
            data_format: attribute.string('NCHW'),
          }),
        ],
      },
      /kernel DepthToSpace \(node y, operation DepthToSpace\)/,
    ],
  ] as ReadonlyArray<[string, GraphDef, RegExp]>)
    test(`names ${what}`, async () => {
      const outputs = graph.nodes.slice(1).map(({ name }) => name);
      await assert.rejects(checkGraph(graph, what.startsWith('several') ? outputs : ['y']), expected);
    });
});

test('shapes that TensorFlow.js checks only while it computes are refused while recording', () => {
  const rows = tf.ones([2, 1]);
  const numbers = tf.ones([2]);
  for (const [fn, expected] of [
    [(x) => tf.matMul(x, rows), /matMul .* inner sizes 3 and 2 differ/],
    [(x) => tf.einsum('ij,jk->ik', x, rows), /Einsum .* axis j has two sizes/],
    [(x) => tf.concat([x, rows], 1), /concat .* differ beside axis 1/],
    [(x) => tf.stack([x, rows]), /stack .* they differ/],
    [(x) => tf.slice(x, [0, 2], [-1, 4]), /slice .* reaches beyond it/],
    [(x) => tf.transpose(x, [0, 0]), /transpose .* no order of its axes/],
    [(x) => tf.batchNorm(x as tf.Tensor2D, numbers as never, numbers as never), /do not broadcast/],
    [
      (x) => tf.batchNorm(tf.slice(x, [0, 0], [-1, 1]) as tf.Tensor2D, numbers as never, numbers as never),
      /batchNorm .* more numbers/,
    ],
  ] as ReadonlyArray<[(x: tf.Tensor) => tf.Tensor, RegExp]>)
    assert.throws(() => trace((x) => ({ y: fn(x) }), [{ name: 'x', shape: [null, 3] }]), expected);
});
