import { RANDOM } from './random.ts';

/** Why a kernel of TensorFlow.js has no translation, and the nearest thing that works. */
export interface Unsupported {
  readonly kernels: readonly string[];
  readonly reason: string;
  readonly instead: string;
}

const COUNTED =
  'how many results it gives depends on values, and every size but the batch is fixed in a file';
const CUT = 'Convert up to its inputs (`--outputs`), and do that step behind the graph';

/** Every kernel of TensorFlow.js' cpu backend that the table leaves out, but for gradients. */
export const UNSUPPORTED: readonly Unsupported[] = [
  {
    kernels: ['Unique', 'NonMaxSuppressionV3', 'SparseFillEmptyRows', 'RaggedGather', 'RaggedRange'],
    reason: COUNTED,
    instead: `${CUT}; for boxes use NonMaxSuppressionV4 with pad_to_max_output_size`,
  },
  {
    kernels: ['NonMaxSuppressionV5'],
    reason: 'ONNX has no soft suppression, and how many boxes it gives depends on values',
    instead: `${CUT}; or use NonMaxSuppressionV4 with pad_to_max_output_size`,
  },
  {
    kernels: ['SparseReshape', 'SparseSegmentMean', 'SparseSegmentSum', 'RaggedTensorToTensor'],
    reason: 'ONNX has no sparse and no ragged tensors',
    instead: 'Make the tensor dense before the graph',
  },
  {
    kernels: ['StaticRegexReplace', 'StringNGrams', 'StringSplit', 'StringToHashBucketFast'],
    reason: 'graphs made here hold numbers, no strings',
    instead: 'Turn strings into numbers before the graph',
  },
  {
    kernels: ['FFT', 'IFFT', 'Complex', 'ComplexAbs', 'Imag', 'Real'],
    reason: 'ONNX has no complex numbers',
    instead: 'Compute spectra before the graph, or as a product with cosine and sine matrices',
  },
  {
    kernels: ['Multinomial'],
    reason: 'it draws random numbers',
    instead: 'Give its input as an output (`--outputs`), and draw behind the graph',
  },
  {
    kernels: ['RotateWithOffset', 'Transform'],
    reason: 'ONNX opset 18 has no projective transformation',
    instead: 'Turn images before the graph; in inference, augmentation is usually meant to be off',
  },
  {
    kernels: ['Draw'],
    reason: 'it draws on a canvas',
    instead: 'Leave it out',
  },
];

/** Operations of graph models that do not convert, with the same two sentences. */
export const UNSUPPORTED_OPERATIONS: ReadonlyArray<
  Omit<Unsupported, 'kernels'> & { operations: readonly string[] }
> = [
  {
    operations: [
      'NonMaxSuppressionV2',
      'NonMaxSuppressionV3',
      'NonMaxSuppressionV5',
      'Where',
      'ListDiff',
      'Unique',
      'UniqueV2',
    ],
    reason: COUNTED,
    instead: `${CUT}; for boxes use NonMaxSuppressionV4 with pad_to_max_output_size`,
  },
  {
    operations: [...RANDOM, 'Multinomial'],
    reason: 'it draws random numbers',
    instead: 'Save the model for inference, or make the numbers an input',
  },
  {
    operations: ['Complex', 'ComplexAbs', 'Imag', 'Real', 'FFT', 'IFFT', 'RFFT', 'IRFFT'],
    reason: 'ONNX has no complex numbers',
    instead: 'Compute spectra before the graph, or as a product with cosine and sine matrices',
  },
  {
    operations: [
      ...['StaticRegexReplace', 'StringNGrams', 'StringSplit', 'StringToHashBucketFast'],
      ...['HashTable', 'HashTableV2', 'LookupTableImport', 'LookupTableImportV2', 'LookupTableFind'],
      ...[
        'LookupTableFindV2',
        'LookupTableSize',
        'LookupTableSizeV2',
        'InitializeTable',
        'InitializeTableV2',
      ],
    ],
    reason: 'graphs made here hold numbers, no strings and no tables of them',
    instead: 'Turn strings into numbers before the graph',
  },
  {
    operations: [
      ...['RaggedGather', 'RaggedRange', 'RaggedTensorToTensor'],
      ...['SparseFillEmptyRows', 'SparseReshape', 'SparseSegmentMean', 'SparseSegmentSum'],
    ],
    reason: 'ONNX has no sparse and no ragged tensors',
    instead: 'Make the tensor dense before the graph',
  },
  {
    operations: [
      'SimpleMLCreateModelResource',
      'SimpleMLLoadModelFromPathWithHandle',
      'SimpleMLInferenceOpWithHandle',
    ],
    reason: 'decision forests are no operations on tensors',
    instead: 'Run the forest with its own library',
  },
  {
    operations: ['ImageProjectiveTransformV3'],
    reason: 'ONNX opset 18 has no projective transformation',
    instead: 'Turn images before the graph; in inference, augmentation is usually meant to be off',
  },
];

const OTHERWISE =
  'there is no translation for it. Express that step with other operations, or compute it outside the model';

/** A sentence for the error. */
export function whyUnsupported(kernel: string): string {
  const known = UNSUPPORTED.find(({ kernels }) => kernels.includes(kernel));
  return known ? `${known.reason}. ${known.instead}` : OTHERWISE;
}
