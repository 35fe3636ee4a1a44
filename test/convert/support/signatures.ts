/** Types of what ONNX operators take and give, of those that conversion writes: the operator documentation of ONNX. */

/**
 * By signature the operators that have it. A letter stands for one type throughout: `T` and `U` for any, `J` for int32 or
 * int64; `F`, `I`, `B` are float32, int64 and bool. `?` may be left out, `*` is any number of them, `to` is Cast's attribute.
 */
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  'T -> T': [
    ...[
      'Abs',
      'Acos',
      'Acosh',
      'Asin',
      'Asinh',
      'Atan',
      'Atanh',
      'Ceil',
      'Cos',
      'Cosh',
      'Elu',
      'Erf',
      'Exp',
      'Floor',
    ],
    ...[
      'Identity',
      'LeakyRelu',
      'Log',
      'Neg',
      'Reciprocal',
      'Relu',
      'Round',
      'Selu',
      'Sigmoid',
      'Sign',
      'Sin',
      'Sinh',
    ],
    ...['Softmax', 'Softplus', 'Sqrt', 'Tan', 'Tanh', 'AveragePool', 'DepthToSpace', 'LRN', 'Transpose'],
  ],
  'T T -> T': ['Add', 'BitwiseAnd', 'Div', 'MatMul', 'Mod', 'Mul', 'PRelu', 'Sub'],
  'T U -> T': ['Pow'],
  'T* -> T': ['Concat', 'Einsum', 'Max', 'Min', 'Sum'],
  'T T -> B': ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'],
  'T -> B': ['IsInf', 'IsNaN'],
  'B -> B': ['Not'],
  'B B -> B': ['And', 'Or', 'Xor'],
  'B T T -> T': ['Where'],
  'T -> I': ['ArgMax', 'ArgMin', 'Shape'],
  'T -> T I?': ['MaxPool'],
  'T I -> T I': ['TopK'],
  'T I -> T': ['Expand', 'GatherND', 'Reshape', 'Tile', 'Unsqueeze'],
  'T I? -> T': ['ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSum', 'Squeeze'],
  'T J -> T': ['CumSum', 'Gather'],
  'T J J J? J? -> T': ['Slice'],
  'T J T -> T': ['ScatterElements'],
  'T I T -> T': ['ScatterND'],
  'T I T? I? -> T': ['Pad'],
  'T I I? -> T': ['MaxUnpool'],
  'T F? F? I? -> T': ['Resize'],
  'T T? T? -> T': ['Clip'],
  'T T T? -> T': ['Conv', 'ConvTranspose'],
  'T T T T T -> T': ['BatchNormalization'],
  'T U V -> V': ['OneHot'],
  'F F I F F -> I': ['NonMaxSuppression'],
  'T -> to': ['Cast'],
};

const FIXED: Readonly<Record<string, number>> = { F: 1, I: 7, B: 9 };
const INDEX = [6, 7];

/**
 * The types (TensorProto.DataType) of an operator's outputs, and what is wrong with those of its inputs.
 *
 * @param inputs undefined where an input is left out.
 * @param to Of a Cast.
 */
export function typesOf(
  operator: string,
  inputs: ReadonlyArray<number | undefined>,
  to: number,
): { outputs: readonly number[]; problem?: string } {
  const [signature] = Object.entries(OPERATORS).find(([, list]) => list.includes(operator)) ?? [];
  if (signature === undefined)
    return { outputs: [], problem: `${operator} has no signature in test/convert/support/signatures.ts` };
  const [takes, gives] = signature.split(' -> ').map((side) => side.split(' ')) as [string[], string[]];
  const bound = new Map<string, number>([...Object.entries(FIXED), ['to', to]]);
  const wrong = (what: string) => ({ outputs: [], problem: `${operator} (${signature}) has ${what}` });
  if (inputs.length > takes.length && !takes.at(-1)!.endsWith('*')) return wrong(`${inputs.length} inputs`);
  for (const [i, mark] of (takes[0]!.endsWith('*') ? inputs.map(() => takes[0]!) : takes).entries()) {
    const [letter, type] = [mark[0]!, inputs[i]];
    if (type === undefined) {
      if (!mark.endsWith('?')) return wrong(`no input ${i}`);
      continue;
    }
    if (letter === 'J' && !INDEX.includes(type)) return wrong(`type ${type} as input ${i}`);
    if ((bound.get(letter) ?? type) !== type)
      return wrong(`type ${type} as input ${i}, not ${bound.get(letter)}`);
    bound.set(letter, type);
  }
  return { outputs: gives.map((mark) => bound.get(mark.replace('?', ''))!) };
}
