import * as layers from '@tensorflow/tfjs-layers';
import type { Draw } from '../support/draw.ts';

const l = layers.layers;
type Layer = layers.layers.Layer;
type Symbolic = layers.SymbolicTensor;

/** A model of the layers named, whose sizes are drawn anew for each seed. */
export interface LayerCase {
  /** Classes that the model is made of; the test checks that they are in it. */
  classes: readonly string[];
  build(d: Draw): layers.LayersModel;
  /** Of random inputs; default [-1, 1]. */
  range?: [number, number];
}

export const ACTIVATIONS = [
  'elu',
  'hardSigmoid',
  'linear',
  'relu',
  'relu6',
  'selu',
  'sigmoid',
  'softmax',
  'softplus',
  'softsign',
  'tanh',
  'swish',
  'mish',
  'gelu',
  'gelu_new',
  'logSoftmax' as 'softmax', // TensorFlow.js knows it, its types do not
] as const;

const bool = [true, false] as const;
const paddings = ['same', 'valid'] as const;

/** TensorFlow.js makes its default, an orthogonal matrix, with operations that have to be registered apart. */
const plain = { recurrentInitializer: 'glorotUniform' } as const;

const RECURRENT = { LSTM: l.lstm, GRU: l.gru, SimpleRNN: l.simpleRNN } as const;
const CELLS = { LSTMCell: l.lstmCell, GRUCell: l.gruCell, SimpleRNNCell: l.simpleRNNCell } as const;
const FOLDS = {
  Add: l.add,
  Multiply: l.multiply,
  Average: l.average,
  Maximum: l.maximum,
  Minimum: l.minimum,
} as const;

/** Sequences of 2 to 6 steps and 1 to 4 features, 1 to 5 units. */
const RECURRENT_CASES: LayerCase[] = [
  ...Object.entries(RECURRENT).map(
    ([name, make]): LayerCase => ({
      classes: [name],
      build: (d) => through(steps(d), make(recurrent(d))),
    }),
  ),
  ...Object.entries(RECURRENT).map(
    ([name, make]): LayerCase => ({
      classes: [name],
      build: (d) => {
        const input = l.input({ shape: steps(d) });
        const outputs = make({ ...recurrent(d), returnState: true }).apply(input) as Symbolic[];
        return layers.model({ inputs: input, outputs });
      },
    }),
  ),
  ...Object.entries(RECURRENT).map(
    ([name, make]): LayerCase => ({
      classes: ['Masking', name],
      build: (d) => {
        const returnSequences = d.pick(bool);
        // Some steps are zero in all (one) features, and masked.
        return through(
          [d.int(3, 6), 1],
          l.thresholdedReLU({ theta: 0 }),
          l.masking({ maskValue: 0 }),
          make({ ...plain, units: d.int(1, 5), returnSequences: true }),
          make({ ...plain, units: d.int(1, 5), returnSequences }),
        );
      },
    }),
  ),
  ...Object.entries(RECURRENT).map(
    ([name, make]): LayerCase => ({
      classes: ['Bidirectional', name],
      build: (d) => {
        const layer = make({ ...plain, units: d.int(1, 4), returnSequences: d.pick(bool) }) as never;
        const mergeMode = d.pick(['concat', 'sum', 'mul', 'ave'] as const);
        return through(steps(d), l.bidirectional({ layer, mergeMode }));
      },
    }),
  ),
  ...Object.entries(CELLS).map(
    ([name, make]): LayerCase => ({
      classes: ['RNN'],
      build: (d) => {
        const cell = make({ ...plain, units: d.int(1, 4) });
        if (cell.getClassName() !== name) throw new Error(`${cell.getClassName()} is no ${name}`);
        return through(steps(d), l.rnn({ cell, returnSequences: d.pick(bool) }) as Layer);
      },
    }),
  ),
  {
    classes: ['RNN'],
    build: (d) => {
      const cells = [
        l.lstmCell({ ...plain, units: d.int(1, 4) }),
        l.gruCell({ ...plain, units: d.int(1, 4) }),
      ];
      return through(steps(d), l.rnn({ cell: l.stackedRNNCells({ cells }) as never }) as Layer);
    },
  },
  {
    classes: ['LSTM'], // stateful: a graph begins with zeros each time
    build: (d) => {
      const batchInputShape = [8, ...steps(d)];
      const lstm = l.lstm({ ...plain, units: d.int(1, 4), stateful: true, batchInputShape });
      return layers.sequential({ layers: [lstm] });
    },
  },
  {
    classes: ['LSTM'], // a state that is an input
    build: (d) => {
      const [x, units] = [l.input({ shape: steps(d) }), d.int(1, 4)];
      const states = [l.input({ shape: [units] }), l.input({ shape: [units] })];
      const outputs = l.lstm({ ...plain, units }).apply([x, ...states]) as Symbolic;
      return layers.model({ inputs: [x, ...states], outputs });
    },
  },
  {
    classes: ['TimeDistributed', 'Conv2D'],
    build: (d) => {
      const layer = l.conv2d({ filters: d.int(1, 4), kernelSize: 2, padding: d.pick(paddings) });
      return through([d.int(2, 3), ...image(d)], l.timeDistributed({ layer }));
    },
  },
  {
    classes: ['ConvLSTM2D'],
    build: (d) => {
      const options = { ...plain, filters: d.int(1, 3), kernelSize: d.int(1, 3), padding: d.pick(paddings) };
      const returnSequences = d.pick(bool);
      return through([d.int(2, 3), ...image(d)], l.convLstm2d({ ...options, returnSequences }) as Layer);
    },
  },
];

/** Images of 4 to 8 pixels a side and 1 to 3 channels, lines and volumes likewise. */
const SPATIAL_CASES: LayerCase[] = [
  { classes: ['Conv1D'], build: (d) => through(line(d), l.conv1d(convolution(d))) },
  { classes: ['Conv2D'], build: (d) => through(image(d), l.conv2d(convolution(d))) },
  {
    classes: ['Conv2D'], // dilated
    build: (d) =>
      through(image(d), l.conv2d({ filters: 2, kernelSize: 2, dilationRate: 2, padding: 'same' })),
  },
  { classes: ['Conv3D'], build: (d) => through(cube(d), l.conv3d(convolution(d))) },
  { classes: ['Conv2DTranspose'], build: (d) => through(image(d), l.conv2dTranspose(convolution(d))) },
  { classes: ['Conv3DTranspose'], build: (d) => through(cube(d), l.conv3dTranspose(convolution(d))) },
  {
    classes: ['SeparableConv2D'],
    build: (d) => through(image(d), l.separableConv2d({ ...convolution(d), depthMultiplier: d.int(1, 2) })),
  },
  {
    classes: ['DepthwiseConv2D'],
    build: (d) => through(image(d), l.depthwiseConv2d({ ...convolution(d), depthMultiplier: d.int(1, 2) })),
  },
  {
    classes: ['Conv2D'], // channels first: TensorFlow.js transposes
    build: (d) =>
      through(
        [d.int(1, 3), d.int(4, 8), d.int(4, 8)],
        l.conv2d({ ...convolution(d), dataFormat: 'channelsFirst' }),
      ),
  },
  { classes: ['MaxPooling1D'], build: (d) => through(line(d), l.maxPooling1d(pooling(d))) },
  { classes: ['AveragePooling1D'], build: (d) => through(line(d), l.averagePooling1d(pooling(d))) },
  { classes: ['MaxPooling2D'], build: (d) => through(image(d), l.maxPooling2d(pooling(d))) },
  { classes: ['AveragePooling2D'], build: (d) => through(image(d), l.averagePooling2d(pooling(d))) },
  { classes: ['MaxPooling3D'], build: (d) => through(cube(d), l.maxPooling3d(pooling(d))) },
  { classes: ['AveragePooling3D'], build: (d) => through(cube(d), l.averagePooling3d(pooling(d))) },
  { classes: ['GlobalAveragePooling1D'], build: (d) => through(line(d), l.globalAveragePooling1d()) },
  { classes: ['GlobalMaxPooling1D'], build: (d) => through(line(d), l.globalMaxPooling1d()) },
  { classes: ['GlobalAveragePooling2D'], build: (d) => through(image(d), l.globalAveragePooling2d({})) },
  { classes: ['GlobalMaxPooling2D'], build: (d) => through(image(d), l.globalMaxPooling2d({})) },
  {
    classes: ['UpSampling2D'],
    build: (d) => {
      const size: [number, number] = [d.int(1, 3), d.int(1, 3)];
      return through(image(d), l.upSampling2d({ size, interpolation: d.pick(['nearest', 'bilinear']) }));
    },
  },
  {
    classes: ['Cropping2D'],
    build: (d) => through(image(d), l.cropping2D({ cropping: [side(d), side(d)] })),
  },
  {
    classes: ['ZeroPadding2D'],
    build: (d) => through(image(d), l.zeroPadding2d({ padding: [side(d), side(d)] })),
  },
  { classes: ['SpatialDropout1D'], build: (d) => through(line(d), l.spatialDropout1d({ rate: 0.3 })) },
];

const DENSE_CASES: LayerCase[] = [
  ...ACTIVATIONS.map(
    (activation): LayerCase => ({
      classes: ['Dense', 'Activation'],
      build: (d) =>
        through([d.int(2, 6)], l.dense({ units: d.int(2, 6), activation }), l.activation({ activation })),
    }),
  ),
  ...[2, 3, 4].map(
    (rank): LayerCase => ({
      classes: ['Dense'],
      build: (d) => through(sides(d, rank), l.dense({ units: d.int(1, 5), useBias: d.pick(bool) })),
    }),
  ),
  { classes: ['Flatten'], build: (d) => through(sides(d, 3), l.flatten()) },
  { classes: ['RepeatVector'], build: (d) => through(sides(d, 1), l.repeatVector({ n: d.int(1, 4) })) },
  { classes: ['Reshape'], build: (d) => through([4, d.int(1, 4)], l.reshape({ targetShape: [2, -1] })) },
  { classes: ['Permute'], build: (d) => through(sides(d, 3), l.permute({ dims: [3, 1, 2] })) },
  {
    classes: ['Dropout'],
    build: (d) => through(sides(d, 2), l.dropout({ rate: 0.3 }), l.dense({ units: 2 })),
  },
  { classes: ['GaussianNoise'], build: (d) => through(sides(d, 2), l.gaussianNoise({ stddev: 1 })) },
  { classes: ['GaussianDropout'], build: (d) => through(sides(d, 2), l.gaussianDropout({ rate: 0.3 })) },
  { classes: ['AlphaDropout'], build: (d) => through(sides(d, 2), l.alphaDropout({ rate: 0.3 })) },
  { classes: ['ReLU'], build: (d) => through(sides(d, 2), l.reLU({ maxValue: 0.5 })) },
  { classes: ['LeakyReLU'], build: (d) => through(sides(d, 2), l.leakyReLU({ alpha: 0.1 })) },
  {
    classes: ['PReLU'],
    build: (d) => through(sides(d, 3), l.prelu(d.pick(bool) ? { sharedAxes: [1, 2] } : {})),
  },
  { classes: ['ELU'], build: (d) => through(sides(d, 2), l.elu({ alpha: 1 })) },
  { classes: ['ThresholdedReLU'], build: (d) => through(sides(d, 2), l.thresholdedReLU({ theta: 0.3 })) },
  { classes: ['Softmax'], build: (d) => through(sides(d, 2), l.softmax({ axis: -1 })) },
  {
    classes: ['BatchNormalization'],
    build: (d) => {
      const shape = sides(d, d.int(1, 3));
      return through(shape, l.batchNormalization({ axis: -1, scale: d.pick(bool), center: d.pick(bool) }));
    },
  },
  {
    classes: ['LayerNormalization'],
    build: (d) => {
      const axis = d.pick<number | number[]>([-1, [1, 2], 2]);
      return through(sides(d, 3), l.layerNormalization({ axis, epsilon: 0.1, scale: d.pick(bool) }));
    },
  },
  {
    classes: ['Embedding'],
    build: (d) => through([d.int(2, 6)], l.embedding({ inputDim: 9, outputDim: d.int(1, 4) })),
    range: [0, 9],
  },
  {
    classes: ['Embedding', 'GRU'], // number 0 is masked
    build: (d) =>
      through(
        [d.int(3, 6)],
        l.embedding({ inputDim: 3, outputDim: 2, maskZero: true }),
        l.gru({ ...plain, units: 3 }),
      ),
    range: [0, 3],
  },
];

const MERGE_CASES: LayerCase[] = [
  ...Object.entries(FOLDS).map(
    ([name, make]): LayerCase => ({
      classes: [name],
      build: (d) => {
        const shape = sides(d, d.int(1, 3));
        const inputs = Array.from({ length: d.int(2, 4) }, () => l.input({ shape }));
        return layers.model({ inputs, outputs: make().apply(inputs) as Symbolic });
      },
    }),
  ),
  {
    classes: ['Concatenate'],
    build: (d) => {
      const [a, b, c] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
      const inputs = [l.input({ shape: [a, b] }), l.input({ shape: [a, c] })];
      return layers.model({ inputs, outputs: l.concatenate({ axis: 2 }).apply(inputs) as Symbolic });
    },
  },
  {
    classes: ['Dot'],
    build: (d) => {
      const [a, b, c, normalize] = [d.int(1, 4), d.int(1, 4), d.int(1, 4), d.pick(bool)];
      const inputs = [l.input({ shape: [a, b] }), l.input({ shape: [c, b] })];
      return layers.model({ inputs, outputs: l.dot({ axes: [2, 2], normalize }).apply(inputs) as Symbolic });
    },
  },
  {
    classes: ['Dot', 'Softmax', 'Dense'], // attention, composed
    build: (d) => {
      const input = l.input({ shape: [d.int(2, 5), d.int(2, 4)] });
      const project = () => l.dense({ units: 3 }).apply(input) as Symbolic;
      const scores = l.dot({ axes: [2, 2] }).apply([project(), project()]) as Symbolic;
      const weights = l.softmax({ axis: -1 }).apply(scores) as Symbolic;
      const outputs = l.dot({ axes: [2, 1] }).apply([weights, project()]) as Symbolic;
      return layers.model({ inputs: input, outputs });
    },
  },
  {
    classes: ['Sequential', 'Model'],
    build: (d) => {
      const size = d.int(2, 5);
      const inner = layers.sequential({
        layers: [l.dense({ units: size, inputShape: [size] }), l.dropout({ rate: 0.5 })],
      });
      const input = l.input({ shape: [size] });
      const nested = layers.model({ inputs: input, outputs: l.dense({ units: 2 }).apply(input) as Symbolic });
      const outer = l.input({ shape: [size] });
      const outputs = nested.apply(inner.apply(outer)) as Symbolic;
      return layers.model({ inputs: outer, outputs });
    },
  },
];

/** What prepares images and numbers. */
const PREPROCESSING_CASES: LayerCase[] = [
  {
    classes: ['Rescaling'],
    build: (d) => through(image(d), l.rescaling({ scale: 0.5, offset: -0.2 }) as Layer),
  },
  {
    classes: ['Resizing'],
    build: (d) => {
      const [height, width, interpolation] = [
        d.int(2, 9),
        d.int(2, 9),
        d.pick(['bilinear', 'nearest'] as const),
      ];
      return through(
        image(d),
        l.resizing({ height, width, interpolation, cropToAspectRatio: d.pick(bool) }) as Layer,
      );
    },
  },
  {
    classes: ['CenterCrop'],
    build: (d) =>
      through([8, 9, d.int(1, 3)], l.centerCrop({ height: d.int(3, 7), width: d.int(3, 7) }) as Layer),
  },
  {
    classes: ['CategoryEncoding'],
    build: (d) => {
      const outputMode = d.pick(['multiHot', 'count'] as const);
      return through([d.int(1, 5)], l.categoryEncoding({ numTokens: 6, outputMode }) as Layer);
    },
    range: [0, 6],
  },
  {
    classes: ['RandomWidth'],
    build: (d) => through(image(d), l.randomWidth({ factor: 0.5, seed: 1 }) as Layer),
  },
];

export const LAYER_CLASS_CASES: readonly LayerCase[] = [
  ...RECURRENT_CASES,
  ...SPATIAL_CASES,
  ...DENSE_CASES,
  ...MERGE_CASES,
  ...PREPROCESSING_CASES,
];

/** Layers one behind the other. */
function through(shape: number[], ...list: Layer[]): layers.LayersModel {
  const input = l.input({ shape });
  const outputs = list.reduce((x, layer) => layer.apply(x) as Symbolic, input);
  return layers.model({ inputs: input, outputs });
}

function recurrent(d: Draw) {
  const activation = d.pick(['tanh', 'relu', 'sigmoid'] as const);
  const recurrentActivation = d.pick(['hardSigmoid', 'sigmoid'] as const);
  return {
    ...plain,
    units: d.int(1, 5),
    activation,
    recurrentActivation,
    returnSequences: d.pick(bool),
    goBackwards: d.pick(bool),
    useBias: d.pick(bool),
    dropout: 0.2,
    recurrentDropout: 0.2,
  };
}

function convolution(d: Draw) {
  return {
    filters: d.int(1, 5),
    kernelSize: d.int(1, 3),
    strides: d.int(1, 2),
    padding: d.pick(paddings),
    useBias: d.pick(bool),
    activation: d.pick(['relu', 'tanh', 'linear'] as const),
  };
}

function pooling(d: Draw) {
  return { poolSize: d.int(2, 3), strides: d.int(1, 2), padding: d.pick(paddings) } as never;
}

function steps(d: Draw): number[] {
  return [d.int(2, 6), d.int(1, 4)];
}

function line(d: Draw): number[] {
  return [d.int(4, 8), d.int(1, 3)];
}

function image(d: Draw): number[] {
  return [d.int(4, 8), ...line(d)];
}

function cube(d: Draw): number[] {
  return [d.int(3, 5), d.int(3, 5), d.int(3, 5), d.int(1, 2)];
}

function side(d: Draw): [number, number] {
  return [d.int(0, 2), d.int(0, 1)];
}

function sides(d: Draw, rank: number): number[] {
  return Array.from({ length: rank }, () => d.int(2, 5));
}
