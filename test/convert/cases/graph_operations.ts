import { type Attributes, attribute, type Constant } from '../support/graph_defs.ts';

/** An input of the operation: random numbers that the graph is given (their shape), or a constant. */
export type OperationInput = number[] | Constant;

export interface OperationCase {
  op: string;
  inputs: OperationInput[];
  attr?: Attributes;
  /** Of random inputs; default [-2, 2]. */
  range?: [number, number];
  /** Type of the random inputs; default float32. */
  dtype?: 'float32' | 'int32' | 'bool';
  /** Number of results; default 1. */
  results?: number;
}

const { int, ints, float, bool, string, type } = attribute;
const T = { T: type('DT_FLOAT') };
const IMAGE = [-1, 6, 5, 3];
const VOLUME = [-1, 4, 4, 3, 2];
const ROWS = [-1, 4];
const PLAIN = [3, 4];

const numbers = (values: number[], shape = [values.length]): Constant => ({ values, shape, dtype: 'int32' });
const floats = (shape: number[], scale = 0.37): Constant => ({
  values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * scale + 1)),
  shape,
  dtype: 'float32',
});
const scalar = (value: number): Constant => ({ values: [value], shape: [], dtype: 'float32' });
const whole = (value: number): Constant => ({ values: [value], shape: [], dtype: 'int32' });

const unary = (ops: string, range?: [number, number]): OperationCase[] =>
  ops.split(' ').map((op) => ({ op, inputs: [PLAIN], attr: T, ...(range && { range }) }));
const binary = (ops: string, range?: [number, number]): OperationCase[] =>
  ops.split(' ').map((op) => ({ op, inputs: [ROWS, [4]], attr: T, ...(range && { range }) }));
const reduction = (ops: string, dtype?: 'bool'): OperationCase[] =>
  ops.split(' ').map((op) => ({
    op,
    inputs: [ROWS, numbers([1])],
    attr: { keep_dims: bool(false), T: type(dtype === 'bool' ? 'DT_BOOL' : 'DT_FLOAT') },
    ...(dtype && { dtype }),
  }));

const window = {
  ksize: ints([1, 2, 2, 1]),
  strides: ints([1, 2, 2, 1]),
  padding: string('SAME'),
  data_format: string('NHWC'),
  ...T,
};
const volumeWindow = {
  ksize: ints([1, 2, 2, 2, 1]),
  strides: ints([1, 1, 1, 1, 1]),
  padding: string('SAME'),
  data_format: string('NDHWC'),
  ...T,
};
const slide = {
  strides: ints([1, 2, 1, 1]),
  padding: string('SAME'),
  dilations: ints([1, 1, 1, 1]),
  data_format: string('NHWC'),
  explicit_paddings: ints([]),
  ...T,
};
const fusion = (...ops: string[]) => ({
  fused_ops: { list: { s: ops.map((op) => Buffer.from(op).toString('base64')) } },
  num_args: int(1),
  epsilon: float(0.001),
  leakyrelu_alpha: float(0.2),
});
const normalization = { epsilon: float(0.01), is_training: bool(false), data_format: string('NHWC'), ...T };
const positive: Constant = { values: [0.5, 1, 1.5], shape: [3], dtype: 'float32' };

/** One use of every operation that tfjs-converter knows and that converts, but for control flow. */
export const OPERATION_CASES: OperationCase[] = [
  ...unary(
    'Abs Ceil Cos Cosh Elu Exp Floor Neg Relu Relu6 Selu Sigmoid Sin Sinh Square Tan Tanh Sign Round Expm1',
  ),
  ...unary('Softplus Asinh Erf LeakyRelu Atan Softmax LogSoftmax'),
  ...unary('Log Sqrt Rsqrt Log1p Reciprocal', [0.1, 3]),
  ...unary('Acos Asin Atanh', [-0.9, 0.9]),
  ...unary('Acosh', [1.1, 4]),
  ...unary('IsNan IsInf IsFinite ZerosLike OnesLike Identity Snapshot StopGradient Size Rank Shape'),
  ...binary(
    'Add AddV2 BiasAdd Sub Mul Maximum Minimum SquaredDifference Equal NotEqual Greater GreaterEqual Less',
  ),
  ...binary('LessEqual Prelu Atan2 RealDiv Div DivNoNan FloorDiv Mod FloorMod', [0.5, 4]),
  ...binary('Pow', [0.2, 2]),
  { op: 'AddN', inputs: [PLAIN, PLAIN, PLAIN], attr: { N: int(3), ...T } },
  { op: 'ClipByValue', inputs: [PLAIN, scalar(-0.5), scalar(0.7)], attr: T },
  { op: 'LogicalAnd', inputs: [PLAIN, PLAIN], dtype: 'bool' },
  { op: 'LogicalOr', inputs: [PLAIN, PLAIN], dtype: 'bool' },
  { op: 'LogicalNot', inputs: [PLAIN], dtype: 'bool' },
  { op: 'BitwiseAnd', inputs: [PLAIN, PLAIN], dtype: 'int32' },
  {
    op: 'Select',
    inputs: [{ values: [1, 0, 1], shape: [3], dtype: 'bool' }, [3], [3]],
    attr: T,
  },
  { op: 'SelectV2', inputs: [{ values: [1, 0, 1, 1], shape: [4], dtype: 'bool' }, ROWS, ROWS], attr: T },
  ...reduction('Max Mean Min Sum Prod EuclideanNorm'),
  ...reduction('All Any', 'bool'),
  { op: 'ArgMax', inputs: [ROWS, whole(1)], attr: T },
  { op: 'ArgMin', inputs: [ROWS, whole(1)], attr: T },
  { op: 'Cumsum', inputs: [ROWS, whole(1)], attr: { exclusive: bool(true), reverse: bool(false), ...T } },
  { op: 'Cumprod', inputs: [ROWS, whole(1)], attr: { exclusive: bool(false), reverse: bool(true), ...T } },
  { op: 'Bincount', inputs: [[6], whole(5), floats([6])], attr: T, dtype: 'int32' },
  {
    op: 'DenseBincount',
    inputs: [[-1, 6], whole(5), floats([0])],
    attr: { binary_output: bool(true), ...T },
    dtype: 'int32',
  },
  { op: 'TopKV2', inputs: [ROWS, whole(2)], attr: { sorted: bool(true), ...T }, results: 2 },
  { op: 'LowerBound', inputs: [{ ...floats([2, 3]), values: [-1, 0, 1, -2, -1, 2] }, [2, 4]], attr: T },
  { op: 'UpperBound', inputs: [{ ...floats([2, 3]), values: [-1, 0, 1, -2, -1, 2] }, [2, 4]], attr: T },
  // Windows
  { op: 'AvgPool', inputs: [IMAGE], attr: window },
  { op: 'MaxPool', inputs: [IMAGE], attr: { ...window, explicit_paddings: ints([]) } },
  {
    op: 'MaxPoolWithArgmax',
    inputs: [IMAGE],
    attr: { ...window, include_batch_in_index: bool(false) },
    results: 2,
  },
  { op: 'AvgPool3D', inputs: [VOLUME], attr: volumeWindow },
  { op: 'MaxPool3D', inputs: [VOLUME], attr: volumeWindow },
  {
    op: 'Conv1D',
    inputs: [[-1, 6, 3], floats([2, 3, 4])],
    attr: { stride: int(1), padding: string('VALID'), dilation: int(1), data_format: string('NWC'), ...T },
  },
  { op: 'Conv2D', inputs: [IMAGE, floats([2, 3, 3, 4])], attr: { ...slide, strides: ints([1, 2, 2, 1]) } },
  {
    op: 'Conv2D',
    inputs: [IMAGE, floats([2, 2, 3, 4])],
    attr: {
      ...slide,
      strides: ints([1, 1, 1, 1]),
      padding: string('EXPLICIT'),
      explicit_paddings: ints([0, 0, 1, 1, 1, 1, 0, 0]),
    },
  },
  {
    op: '_FusedConv2D',
    inputs: [IMAGE, floats([2, 2, 3, 4]), floats([4])],
    attr: { ...slide, strides: ints([1, 1, 1, 1]), ...fusion('BiasAdd', 'Relu6') },
  },
  {
    op: '_FusedConv2D',
    inputs: [IMAGE, floats([2, 2, 3, 4]), floats([4]), floats([4])],
    attr: { ...slide, strides: ints([1, 1, 1, 1]), ...fusion('BiasAdd', 'Prelu'), num_args: int(2) },
  },
  {
    op: 'Conv2DBackpropInput',
    inputs: [numbers([2, 8, 6, 4]), floats([3, 3, 4, 3]), [2, 4, 3, 3]],
    attr: { ...slide, strides: ints([1, 2, 2, 1]) },
  },
  {
    op: 'DepthwiseConv2d',
    inputs: [IMAGE, floats([2, 2, 3, 2])],
    attr: { ...slide, strides: ints([1, 1, 1, 1]) },
  },
  {
    op: 'DepthwiseConv2dNative',
    inputs: [IMAGE, floats([3, 3, 3, 2])],
    attr: { ...slide, strides: ints([1, 2, 2, 1]) },
  },
  {
    op: 'FusedDepthwiseConv2dNative',
    inputs: [IMAGE, floats([2, 2, 3, 1]), floats([3])],
    attr: { ...slide, strides: ints([1, 1, 1, 1]), ...fusion('BiasAdd', 'Elu') },
  },
  {
    op: 'Conv3D',
    inputs: [VOLUME, floats([2, 2, 2, 2, 3])],
    attr: { ...volumeWindow, dilations: ints([1, 1, 1, 1, 1]) },
  },
  {
    op: 'Dilation2D',
    inputs: [IMAGE, floats([2, 2, 3])],
    attr: { strides: ints([1, 1, 1, 1]), rates: ints([1, 1, 1, 1]), padding: string('SAME'), ...T },
  },
  // Making
  { op: 'Fill', inputs: [numbers([2, 3]), scalar(4)], attr: T },
  { op: 'LinSpace', inputs: [scalar(0), scalar(1), whole(5)], attr: T },
  { op: 'Range', inputs: [whole(1), whole(9), whole(2)], attr: { Tidx: type('DT_INT32') } },
  { op: 'Ones', inputs: [numbers([2, 3])], attr: T },
  { op: 'Zeros', inputs: [numbers([2, 3])], attr: T },
  {
    op: 'OneHot',
    inputs: [[-1, 2], whole(4), scalar(3), scalar(-1)],
    attr: { axis: int(-1), dtype: type('DT_FLOAT'), ...T },
    dtype: 'int32',
  },
  // Images and matrices
  {
    op: 'ResizeBilinear',
    inputs: [IMAGE, numbers([9, 10])],
    attr: { align_corners: bool(false), half_pixel_centers: bool(true), ...T },
  },
  {
    op: 'ResizeNearestNeighbor',
    inputs: [IMAGE, numbers([12, 10])],
    attr: { align_corners: bool(false), half_pixel_centers: bool(false), ...T },
  },
  {
    op: 'CropAndResize',
    inputs: [
      [2, 6, 5, 3],
      { ...floats([2, 4]), values: [0, 0, 1, 1, 0.2, 0.1, 0.9, 1.1] },
      numbers([0, 1]),
      numbers([3, 4]),
    ],
    attr: { method: string('bilinear'), extrapolation_value: float(0), ...T },
  },
  {
    op: 'MatMul',
    inputs: [ROWS, floats([4, 3])],
    attr: { transpose_a: bool(false), transpose_b: bool(false), ...T },
  },
  {
    op: '_FusedMatMul',
    inputs: [ROWS, floats([4, 3]), floats([3])],
    attr: { transpose_a: bool(false), transpose_b: bool(false), ...fusion('BiasAdd', 'Relu'), ...T },
  },
  {
    op: 'BatchMatMul',
    inputs: [
      [-1, 3, 4],
      [-1, 4, 2],
    ],
    attr: { adj_x: bool(false), adj_y: bool(false), ...T },
  },
  {
    op: 'BatchMatMulV2',
    inputs: [
      [-1, 3, 4],
      [-1, 2, 4],
    ],
    attr: { adj_x: bool(false), adj_y: bool(true), ...T },
  },
  { op: 'Transpose', inputs: [IMAGE, numbers([0, 3, 1, 2])], attr: T },
  {
    op: 'Einsum',
    inputs: [[-1, 3, 4], floats([4, 2])],
    attr: { equation: string('abc,cd->abd'), N: int(2), ...T },
  },
  { op: 'MatrixBandPart', inputs: [[-1, 4, 4], whole(1), whole(0)], attr: T },
  ...['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3'].map(
    (op): OperationCase => ({
      op,
      inputs: [IMAGE, floats([3]), floats([3], 0.5), floats([3], 0.7), positive],
      attr: normalization,
    }),
  ),
  {
    op: 'LRN',
    inputs: [IMAGE],
    attr: { depth_radius: int(1), bias: float(1), alpha: float(0.3), beta: float(0.6), ...T },
  },
  // Slices and joins
  { op: 'ConcatV2', inputs: [ROWS, [-1, 2], whole(1)], attr: { N: int(2), ...T } },
  { op: 'Concat', inputs: [whole(1), ROWS, [-1, 2]], attr: { N: int(2), ...T } },
  { op: 'GatherV2', inputs: [ROWS, numbers([0, 2]), whole(1)], attr: { batch_dims: int(0), ...T } },
  { op: 'Gather', inputs: [PLAIN, numbers([2, 0])], attr: T },
  { op: 'Reverse', inputs: [PLAIN, { values: [0, 1], shape: [2], dtype: 'bool' }], attr: T },
  { op: 'ReverseV2', inputs: [ROWS, numbers([1])], attr: T },
  { op: 'Slice', inputs: [ROWS, numbers([0, 1]), numbers([-1, 2])], attr: T },
  {
    op: 'StridedSlice',
    inputs: [ROWS, numbers([0, 1]), numbers([0, 4]), numbers([1, 2])],
    attr: {
      begin_mask: int(1),
      end_mask: int(1),
      ellipsis_mask: int(0),
      new_axis_mask: int(0),
      shrink_axis_mask: int(0),
      ...T,
    },
  },
  { op: 'Pack', inputs: [ROWS, ROWS], attr: { axis: int(1), N: int(2), ...T } },
  { op: 'Unpack', inputs: [[-1, 3]], attr: { axis: int(1), num: int(3), ...T }, results: 3 },
  { op: 'Tile', inputs: [ROWS, numbers([1, 3])], attr: T },
  { op: 'Split', inputs: [whole(1), ROWS], attr: { num_split: int(2), ...T }, results: 2 },
  { op: 'SplitV', inputs: [ROWS, numbers([1, 3]), whole(1)], attr: { num_split: int(2), ...T }, results: 2 },
  { op: 'ScatterNd', inputs: [numbers([0, 2], [2, 1]), [2, 3], numbers([4, 3])], attr: T },
  { op: 'GatherNd', inputs: [PLAIN, numbers([0, 1, 2, 3], [2, 2])], attr: T },
  { op: 'SparseToDense', inputs: [numbers([0, 2], [2, 1]), numbers([4]), [2], scalar(0.5)], attr: T },
  { op: 'TensorScatterUpdate', inputs: [PLAIN, numbers([0, 2], [2, 1]), [2, 4]], attr: T },
  // Shapes
  { op: 'Cast', inputs: [PLAIN], attr: { SrcT: type('DT_FLOAT'), DstT: type('DT_INT32') } },
  { op: 'ExpandDims', inputs: [ROWS, whole(1)], attr: T },
  {
    op: 'MirrorPad',
    inputs: [PLAIN, numbers([1, 1, 2, 0], [2, 2])],
    attr: { mode: string('SYMMETRIC'), ...T },
  },
  { op: 'Pad', inputs: [ROWS, numbers([0, 0, 2, 1], [2, 2])], attr: T },
  { op: 'PadV2', inputs: [ROWS, numbers([0, 0, 2, 1], [2, 2]), scalar(0.5)], attr: T },
  { op: 'Reshape', inputs: [ROWS, numbers([-1, 2, 2])], attr: T },
  { op: 'EnsureShape', inputs: [PLAIN, numbers([3, 4])], attr: T },
  { op: 'Squeeze', inputs: [[-1, 1, 4]], attr: { squeeze_dims: ints([1]), ...T } },
  { op: 'SpaceToBatchND', inputs: [IMAGE, numbers([2, 1]), numbers([0, 0, 0, 0], [2, 2])], attr: T },
  { op: 'BatchToSpaceND', inputs: [[4, 3, 2, 1], numbers([2, 2]), numbers([0, 1, 0, 0], [2, 2])], attr: T },
  {
    op: 'DepthToSpace',
    inputs: [[-1, 2, 2, 8]],
    attr: { block_size: int(2), data_format: string('NHWC'), ...T },
  },
  { op: 'BroadcastTo', inputs: [[1, 4], numbers([3, 4])], attr: T },
  { op: 'BroadcastArgs', inputs: [numbers([3, 1]), numbers([1, 4])], attr: T },
  { op: 'IdentityN', inputs: [ROWS, ROWS], attr: T, results: 2 },
  { op: 'ShapeN', inputs: [PLAIN, PLAIN], attr: { N: int(2), ...T }, results: 2 },
  { op: 'FakeQuantWithMinMaxVars', inputs: [PLAIN, scalar(-1), scalar(1)], attr: T },
  {
    op: 'NonMaxSuppressionV4',
    inputs: [[8, 4], [8], whole(5), scalar(0.4), scalar(0.1)],
    attr: { pad_to_max_output_size: bool(true), T: type('DT_FLOAT') },
    range: [0, 1],
    results: 2,
  },
];
