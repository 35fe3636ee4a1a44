/** A foreign ONNX file as a function of TensorFlow.js tensors, to be traced into a graph of our own. */
import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { engine, getKernel, type Tensor, type Tensor4D, tensor4d } from '@tensorflow/tfjs-core';
import * as onnx from 'onnx-buf';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { neededNodes, prepareGraph } from './embed_graph.ts';
import { EMBEDDED_KERNEL, type EmbeddedOutput } from './kernels/embedded.ts';
import { loadSession, type Session } from './session.ts';
import { trace } from './trace.ts';

export interface EmbeddedModel {
  /** Pixels; `fixed`: the file takes no other size. */
  readonly input: { readonly width: number; readonly height: number; readonly fixed: boolean };
  /** Whether the file wants [N, 3, H, W]; the function takes [N, H, W, 3] in any case. */
  readonly channelsFirst: boolean;
  /** Inner results that are images of features, in order. */
  readonly taps: readonly string[];
  /**
   * A function that gives some of the taps of images of one size. trace() and the recording backend write it down; on
   * every other backend onnxruntime computes it at once, which reads the images and lets no gradient through.
   */
  at(taps: readonly string[], size: { width: number; height: number }): (images: Tensor4D) => Tensor4D[];
}

/** Side of the trial image where the file leaves it open. */
const SIDE = 224;

/** Of the trial runs: the second shows which results follow the batch. */
const BATCHES = [1, 2] as const;

/**
 * Prepares an ONNX file with one float32 image input, [N, 3, H, W] or [N, H, W, 3]. A batch size that the file fixes is
 * opened: taps that do not follow it are not offered.
 *
 * @throws Error when the file is no such model, does not run, or (from `at`) uses operators that cannot be carried.
 */
export function embedOnnx(bytes: Uint8Array): EmbeddedModel {
  const model = parse(bytes);
  const port = imageInput(model.graph!);
  const fixed = port.height !== undefined && port.width !== undefined;
  const input = { width: port.width ?? SIDE, height: port.height ?? SIDE, fixed };
  const names = model.graph!.node.flatMap((node) => node.output.filter((name) => name !== ''));
  // With one image all runs, even where the classifier at the end fixes the batch; with two only what may be a tap.
  const images = trialRun(model, port, input, names, BATCHES[0]).filter(
    ({ shape: [h, w] }) => h! > 1 && w! > 1,
  );
  const candidates = images.map(({ name }) => name);
  const taps = candidates.length === 0 ? [] : trialRun(model, port, input, candidates, BATCHES[1]);
  const digest = createHash('sha256').update(bytes).digest('hex');
  return {
    input,
    channelsFirst: port.channelsFirst,
    taps: taps.map(({ name }) => name),
    at: (wanted, size) => {
      const outputs = trialRun(model, port, size, wanted, BATCHES[1]);
      for (const name of wanted)
        if (!outputs.some((o) => o.name === name)) throw new Error(`${name} is no image of features`);
      const carried = prepareGraph(model, port.name, wanted);
      const graph = {
        ...carried,
        channelsFirst: port.channelsFirst,
        outputs: wanted.map((name) => outputs.find((o) => o.name === name)!),
        toJSON: () => `${digest} ${size.width}x${size.height} ${wanted.join()}`,
      };
      const recorded = (images: Tensor4D): Tensor4D[] => {
        // TensorFlow.js types attributes as plain data; they pass through it untouched.
        const result = engine().runKernel(EMBEDDED_KERNEL, { x: images }, { graph } as never);
        return [result].flat() as Tensor4D[];
      };
      const computed = computing(recorded, wanted, size);
      return (images) =>
        getKernel(EMBEDDED_KERNEL, engine().backendName) ? recorded(images) : computed(images);
    },
  };
}

/** `fn`, traced on first use and run by onnxruntime on host data. */
function computing(
  fn: (images: Tensor4D) => Tensor4D[],
  names: readonly string[],
  { width, height }: { width: number; height: number },
): (images: Tensor4D) => Tensor4D[] {
  const compile = () => {
    const outputs = (image: Tensor) =>
      Object.fromEntries(fn(image as Tensor4D).map((result, i) => [names[i]!, result]));
    const shape = [null, height, width, 3];
    return loadSession(trace(outputs, [{ name: 'plumbline image', shape }]), { logSeverityLevel: 3 });
  };
  let session: Session | undefined;
  return (images) => {
    session ??= compile();
    const data = images.dataSync<'float32'>();
    const results = session.run({ 'plumbline image': new OrtTensor('float32', data, images.shape) }, names);
    return names.map((name) => {
      const { data, dims } = results[name]!;
      return tensor4d(data as Float32Array, dims as Tensor4D['shape']);
    });
  };
}

interface ImagePort {
  readonly name: string;
  readonly channelsFirst: boolean;
  readonly height: number | undefined;
  readonly width: number | undefined;
}

function parse(bytes: Uint8Array): onnx.ModelProto {
  let model: onnx.ModelProto;
  try {
    model = fromBinary(onnx.ModelProtoSchema, bytes);
  } catch (cause) {
    throw new Error('this is not an ONNX file', { cause });
  }
  if (model.graph === undefined || model.graph.node.length === 0) throw new Error('this is not an ONNX file');
  const foreign = model.graph.node.find(({ domain }) => domain !== '' && domain !== 'ai.onnx');
  if (foreign !== undefined)
    throw new Error(
      `the ONNX file uses ${foreign.domain}.${foreign.opType}, which is no operator of the ONNX standard`,
    );
  return model;
}

/** Old files list their weights among the inputs, too. */
function imageInput(graph: onnx.GraphProto): ImagePort {
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !weights.has(name));
  const [input] = inputs;
  const tensor = input?.type?.value;
  if (inputs.length !== 1 || input === undefined || tensor?.case !== 'tensorType')
    throw new Error(
      `expected an ONNX file with one image input, this one has ${inputs.map(({ name }) => name).join(', ') || 'none'}`,
    );
  const dims = (tensor.value.shape?.dim ?? []).map(({ value }) =>
    value.case === 'dimValue' && value.value > 0n ? Number(value.value) : undefined,
  );
  const float = tensor.value.elemType === onnx.TensorProto_DataType.FLOAT;
  const channelsFirst = dims[1] === 3;
  if (!float || dims.length !== 4 || (!channelsFirst && dims[3] !== 3))
    throw new Error(
      `the ONNX input ${input.name} has shape [${dims.map((d) => d ?? 'open')}]; expected float32 [N, 3, H, W] or [N, H, W, 3]`,
    );
  const [height, width] = channelsFirst ? [dims[2], dims[3]] : [dims[1], dims[2]];
  return { name: input.name, channelsFirst, height, width };
}

/** Runs the file on black images; gives those of the named results that are [N, h, w, c] or [N, c, h, w]. */
function trialRun(
  model: onnx.ModelProto,
  port: ImagePort,
  { width, height }: { width: number; height: number },
  names: readonly string[],
  batch: number,
): EmbeddedOutput[] {
  const dims = port.channelsFirst ? [batch, 3, height, width] : [batch, height, width, 3];
  const trial = toBinary(onnx.ModelProtoSchema, trialModel(model, port.name, dims, names));
  let results: Readonly<Record<string, OrtTensor>>;
  try {
    const session = loadSession(trial, { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
    const black = new OrtTensor('float32', new Float32Array(batch * 3 * height * width), dims);
    try {
      results = session.run({ [port.name]: black }, names);
    } finally {
      session.dispose();
    }
  } catch (cause) {
    throw new Error(
      `the ONNX file does not run on ${batch === 1 ? 'an image' : 'several images'} of ${width} x ${height}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return names.flatMap((name) => {
    const { dims, type } = results[name]!;
    if (type !== 'float32' || dims.length !== 4 || dims[0] !== batch) return [];
    const [, a, b, c] = dims as [number, number, number, number];
    const first = liesChannelsFirst([a, b, c], height / width, port.channelsFirst);
    return [{ name, channelsFirst: first, shape: first ? [b, c, a] : [a, b, c] }];
  });
}

/** Features keep the proportions of the image; where that leaves a doubt, they lie as the input does. */
function liesChannelsFirst([a, b, c]: [number, number, number], ratio: number, usual: boolean): boolean {
  const off = (h: number, w: number) => Math.abs(Math.log(h / w / ratio));
  const [first, last] = [off(b, c), off(a, b)];
  return Math.abs(first - last) < 0.1 ? usual : first < last;
}

function trialModel(
  model: onnx.ModelProto,
  input: string,
  dims: readonly number[],
  names: readonly string[],
): onnx.ModelProto {
  const dim = dims.map((d) =>
    create(onnx.TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(d) } }),
  );
  const value = create(onnx.TypeProto_TensorSchema, {
    elemType: onnx.TensorProto_DataType.FLOAT,
    shape: create(onnx.TensorShapeProtoSchema, { dim }),
  });
  const type = create(onnx.TypeProtoSchema, { value: { case: 'tensorType', value } });
  const port = create(onnx.ValueInfoProtoSchema, { name: input, type });
  const graph = create(onnx.GraphProtoSchema, {
    ...model.graph!,
    node: neededNodes(model.graph!.node, names).needed,
    input: [port],
    output: names.map((name) => create(onnx.ValueInfoProtoSchema, { name })),
    valueInfo: [],
  });
  return create(onnx.ModelProtoSchema, { ...model, graph });
}
