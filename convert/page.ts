/** docs/converter.md, from the table and from TensorFlow.js' own lists. */
import { serialization } from '@tensorflow/tfjs-core';
import { CORRECTED } from './gradients.ts';
import { REWRITES } from './keras_layers.ts';
import { UNSUPPORTED_OPERATIONS } from './kernels/unsupported.ts';
import { LACKING } from './layers/table.ts';
import { isLayerClass } from './load_layers.ts';
import { converterOperations } from './operation_names.ts';

const HEAD = `# Converting TensorFlow.js models

\`npx convert model.json --out model.onnx --check\`. \`npx convert --help\` shows the rest.
As a package of its own, and from code: [convert/README.md](../convert/README.md).

Made by \`npm run converter-page\`; do not edit.

## How it works

\`\`\`
model.json, folder or zip -> layers model or graph model
  -> run with batch 29 and 31, on a backend that records            convert/recording.ts
  -> one handler for each kernel writes ONNX nodes                  convert/kernels/table.ts
  -> both graphs joined: sizes that follow the batch become N       convert/dynamic.ts
  -> run with batch 1, 2 and 254: it must say the same              convert/other_batches.ts
  -> ONNX file, and --check: TensorFlow.js against onnxruntime      convert/verify.ts
\`\`\`

## What follows the batch

With N replaced by 1, 2 and 254, the file says what the model was seen to do with that batch: the same kernels, settings and
constants, and every size. Where it would not, because something stops at a limit (\`x[:200]\`, \`x[-16:]\`), is a remainder or a
quotient of the batch (\`batch // 100\`), or is done with some batches only (\`batch > 3\`), the model is refused with its layer or
node, and \`--batch\`, which fixes the batch, converts it. Refused likewise are one that fails with a batch of 1 (\`x[5]\`), and a loop over
values whose shapes follow the batch. What a model does with one batch between these alone (\`batch == 8\`), or beyond 254, nobody sees.

## Add a kernel

1. Give it a handler in the file of its family in \`convert/kernels/\`, and take it out of \`convert/kernels/unsupported.ts\` where it
   stands there. A handler has \`outputs\` (shape and type) and \`emit\` (nodes); \`convert/kernels/handler.ts\` and the foot of
   \`elementwise.ts\` have short forms. One operator of ONNX by another name, and several:

   \`\`\`ts
   ...direct({ Selu: 'Selu' }),
   Rsqrt: unary((g, x) => g.op('Reciprocal', [g.op('Sqrt', [x])])),
   \`\`\`

2. Add a case to the file of its family in \`test/convert/cases/\`, such as \`rsqrt: tf.rsqrt\` among the functions of one tensor;
   what is to be trained through needs one among the gradients too, and an operation of graph models one in \`graph_operations.ts\`.
   \`test/convert/kernels.test.ts\` fails for a kernel without a case.
3. \`npx node --test test/convert/kernels.test.ts\`, and \`npm run converter-page\` for this page.
`;

const FORMS = `A model is converted as it is in inference: dropout and noise do nothing, \`RandomWidth\` passes images on, a stateful
recurrent layer begins each call with zeros, \`CategoryEncoding\` leaves numbers that are out of range uncounted. Classes
of your own convert once they are registered. Models saved by Keras 3 are read too, though TensorFlow.js itself refuses them.
First values, regularizers, constraints, loss and optimizer are passed over, whoever wrote them. Classes and activations that nobody
has registered, settings that TensorFlow.js is known to pass over are refused by the name of the layer, all of a model's at once; whatever else fails names the layer that was being made or computed.

Where TensorFlow.js 4.22 does something else than Keras, or fails, a file does what Keras does. \`--check\`
compares with TensorFlow.js as it is put right here, not with Keras itself: it finds what goes wrong between TensorFlow.js and
the file, not where both depart from Keras. Compare some results with your own model before you rely on a file:
a mask or a first state is not handed on to layers that were given none, volumes are normalized, a 3-D convolution whose stride
is longer than its window begins at the first voxel, \`Softmax\` takes any axis, and layers may follow \`Resizing\`. Of a model that Keras saved, and not
TensorFlow.js, also: \`DepthwiseConv2D\` is dilated, \`GlobalAveragePooling1D\` leaves masked steps out, a recurrent layer with
\`zero_output_for_mask\`, or inside of \`Bidirectional\`, gives zeros for them, \`Bidirectional\` may have a \`backward_layer\`, \`Resizing\` and bilinear \`UpSampling2D\` take the centres of pixels, and \`CenterCrop\` takes pixels as they are.
A layer that is given one tensor twice leaves it to the next: TensorFlow.js has freed it by then (\`x + attention(x, x)\`).
One tensor twice among the outputs is two outputs, of which the second is named \`score_again\`. Inputs in a dictionary are in the order of their names.

Computed here as Keras does, in Keras 2 and Keras 3 alike (\`convert/layers/\`): \`GRU\` and \`GRUCell\` with \`reset_after=True\`, Keras'
default; \`Conv2DTranspose\` and \`Conv3DTranspose\` with \`output_padding\` or \`dilation_rate\`; \`ReLU\` with a slope or a threshold, \`ELU\` with any
\`alpha\`; the activations \`gelu\`, \`silu\`, \`mish\`, \`exponential\`, \`leaky_relu\`, \`hard_silu\`, \`celu\`, \`squareplus\`, \`log_sigmoid\`, \`hard_tanh\`,
\`tanh_shrink\`, \`hard_shrink\` and \`soft_shrink\`, and the hard sigmoid of each Keras; attention with masks, causal or not, of one sequence, two or
three, its scores as a second output. Masks that Keras 3 wrote down as operations, and its arithmetic (\`x * 2 + 1\`, which hands no mask on), are read. The mask of \`Add\` and its likes is that of each Keras.

Refused are \`Resizing\` that keeps the aspect ratio, convolutions of sequences and volumes in \`groups\`, \`MultiHeadAttention\` along several axes, with
a gate or a sliding window, attention within a wrapper or with a mask of its own, \`EinsumDense\` with \`...\` at the end, and \`Discretization\` that gives
no numbers of bins: save a graph model. Layers that are not listed here are unknown to TensorFlow.js and to this converter.`;

const CONTROL = `A condition or loop that is known while recording is followed. Of an unknown one in the form of TensorFlow 2 both branches
are computed and one is chosen, and a loop becomes ONNX's \`Loop\` (its shapes must stay the same). Where they follow the batch, it needs
\`--batch\`. An unknown one in the form of TensorFlow 1 (\`Switch\`, \`Merge\`) is refused: save with \`tf.compat.v1.enable_control_flow_v2()\`.

Operations that TensorFlow.js does not know are refused before anything is computed, each with its node, and with the names for
\`--outputs\` up to which the graph converts; one that has an executor (\`registerOp\` of \`@tensorflow/tfjs-converter\`) converts.
Batch normalization in training (\`is_training\`) and inputs of strings are refused likewise.`;

const TRAINING = `\`convert/backend.ts\` is a backend of TensorFlow.js that records the same kernels while \`model.fit\` runs, compiles
the graph of a step once and lets onnxruntime compute it. A kernel without a translation is an error with its name.
Every gradient of TensorFlow.js but that of \`ComplexAbs\` runs on it; \`test/convert/gradients.test.ts\` compares each with
finite differences. These are wrong or fail in TensorFlow.js 4.22.0 itself, and are put right here, for this backend
only:`;

export function converterPage(): string {
  const refused = new Set(UNSUPPORTED_OPERATIONS.flatMap(({ operations }) => operations));
  const operations = converterOperations().filter((name) => !refused.has(name));
  const classes = layerClasses();
  const rewritten = Object.keys(REWRITES).filter((name) => !classes.includes(name));
  const lacking = [...rewritten, ...Object.keys(LACKING)];
  const rows = UNSUPPORTED_OPERATIONS.map(
    ({ operations, reason, instead }) => `| ${code(operations)} | ${reason} | ${instead} |`,
  );
  return [
    HEAD,
    `## Layers\n\nAll of them:\n${code(classes)}.\n\nOf Keras, which TensorFlow.js itself cannot read:\n${code(lacking)}, and \`Conv2D\` in groups.\n\n${FORMS}\n`,
    `## Operations of graph models\n\n${code(operations)}.\n\n${CONTROL}\n`,
    `## Operations that do not convert\n\n| operations | why | instead |\n| --- | --- | --- |\n${rows.join('\n')}\n`,
    `## Training\n\n${TRAINING}\n${code(CORRECTED)}.\n`,
  ].join('\n');
}

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

/** Every class that is registered as a layer, or as a cell of a recurrent one. */
export function layerClasses(): string[] {
  return Object.keys(serialization.SerializationMap.getMap().classNameMap).filter(isLayerClass);
}
