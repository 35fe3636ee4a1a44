/**
 * Layers of Keras that TensorFlow.js lacks or reads wrongly, in the words of those that it has: what Keras Applications are
 * made of.
 */
import { io } from '@tensorflow/tfjs-core';
import { GROUPED_CONVOLUTION, registerGroupedConvolution } from './grouped_convolution.ts';
import { UNMASKED } from './layers/merge.ts';
import { isLayerClass } from './load_layers.ts';
import { type Refuse, refuseAtOnce } from './refuse.ts';
import { type Fields, fieldsOf, type Json, listOf } from './topology.ts';
import { bytesOf } from './weights.ts';

/** A weight by its name within its layer, as it is called and shaped elsewhere; undefined leaves it out. */
type Reweigh = (weight: string, shape: number[]) => { name: string; shape: number[] } | undefined;

interface Rewritten {
  /** In place of the layer: the last bears its name. */
  readonly layers: readonly Fields[];
  readonly reweigh?: Reweigh;
}

/** Shapes of a layer's weights by their names within it. */
type WeightShapes = ReadonlyMap<string, readonly number[]>;

type Rewrite = (layer: Fields, config: Fields, weights: WeightShapes) => Rewritten | undefined;

/** The same model with such layers replaced; `refuse` is told of each that TensorFlow.js cannot express, and that one stays. */
export function inKnownLayers(
  artifacts: io.ModelArtifacts,
  refuse: Refuse = refuseAtOnce,
): io.ModelArtifacts {
  registerGroupedConvolution();
  const topology = artifacts.modelTopology as Fields;
  const shapes = new Map((artifacts.weightSpecs ?? []).map(({ name, shape }) => [name, shape]));
  const reweighs = new Map<string, Reweigh>();
  const rewrite = (model: Fields): Fields => {
    const config = fieldsOf(model.config);
    const layers = listOf(config.layers).map(fieldsOf);
    if (layers.length === 0) return model;
    return { ...model, config: { ...config, layers: layers.flatMap(rewriteLayer) } };
  };
  const rewriteLayer = (layer: Fields): readonly Fields[] => {
    const config = fieldsOf(layer.config);
    const name = String(config.name);
    const own = [...shapes].filter(([weight]) => weight.startsWith(`${name}/`));
    const weights = new Map(own.map(([weight, shape]) => [weight.slice(name.length + 1), shape]));
    const rewritten = attempt(() => REWRITES[String(layer.class_name)]?.(layer, config, weights));
    if (rewritten?.reweigh) reweighs.set(name, rewritten.reweigh);
    return rewritten?.layers ?? [rewrite(layer)];
  };
  const attempt = (action: () => Rewritten | undefined): Rewritten | undefined => {
    try {
      return action();
    } catch (cause) {
      refuse((cause as Error).message);
      return undefined;
    }
  };
  const root =
    topology.model_config === undefined ? rewrite(topology) : rewrite(fieldsOf(topology.model_config));
  return {
    ...artifacts,
    modelTopology: topology.model_config === undefined ? root : { ...topology, model_config: root },
    ...(reweighs.size > 0 && reweighed(artifacts, reweighs)),
  };
}

/** By class. */
export const REWRITES: Readonly<Record<string, Rewrite>> = {
  /** Keras writes settings of a kernel that this layer does not have, and TensorFlow.js refuses them. */
  SeparableConv2D: (layer, config) => {
    const kept = Object.entries(config).filter(
      ([key]) => !/^kernel_(initializer|regularizer|constraint)$/.test(key),
    );
    return { layers: [{ ...layer, config: Object.fromEntries(kept) }] };
  },
  Conv2D: grouped,
  GlobalAveragePooling2D: keepingDimensions,
  GlobalMaxPooling2D: keepingDimensions,
  GlobalAveragePooling1D: keepingDimensions,
  GlobalMaxPooling1D: keepingDimensions,
  Normalization: normalization,
  /** A number for each channel: a convolution of one pixel. */
  LayerScale: (layer) => ({
    layers: [as(layer, 'DepthwiseConv2D', { kernel_size: 1, depth_multiplier: 1, use_bias: false })],
    reweigh: (_, [channels]) => ({ name: 'depthwise_kernel', shape: [1, 1, channels!, 1] }),
  }),
  StochasticDepth: nothing,
  CustomScaleLayer: (layer, { scale = 1 }) => scaledSum(layer, scale),
  TFOpLambda: (layer, { name, function: called }) => {
    const operation = OPERATIONS[String(called)];
    const uses = listOf(layer.inbound_nodes).map(listOf); // of one tensor, which Keras writes without its list
    const [first] = uses;
    const { y } = fieldsOf(first?.[3]);
    if (operation === undefined || uses.length !== 1 || y === undefined)
      throw new Error(
        `layer ${name} calls tf.${called}, which no layer of TensorFlow.js says; save the model as a graph model`,
      );
    const x = [...first!.slice(0, 3), {}];
    if (typeof y === 'number')
      return { layers: [rescaling(layer, String(name), operation.number(y), [[x]])] };
    const unmasked = UNMASKED[operation.layer]!.className;
    return { layers: [{ ...as(layer, unmasked, {}), inbound_nodes: [[x, [...listOf(y), {}]]] }] };
  },
};

/** Operations on a tensor `x` and `y`, which is another tensor or a number: unlike the layers, they hand no mask on. */
const OPERATIONS: Readonly<Record<string, { layer: string; number: (y: number) => Fields }>> = {
  '__operators__.add': { layer: 'Add', number: (y) => ({ offset: y }) },
  'math.add': { layer: 'Add', number: (y) => ({ offset: y }) },
  'math.multiply': { layer: 'Multiply', number: (y) => ({ scale: y }) },
};

/** The first input, and `scale` times the second. */
function scaledSum(layer: Fields, scale: Json): Rewritten {
  const { name } = fieldsOf(layer.config);
  const uses = listOf(layer.inbound_nodes).map(listOf);
  const scaling = rescaling(
    layer,
    `${name}/scaled`,
    { scale },
    uses.map(([, second]) => [second!]),
  );
  const inbound_nodes = uses.map(([first], use) => [first!, [`${name}/scaled`, use, 0, {}]]);
  return { layers: [scaling, { ...as(layer, 'Add', {}), inbound_nodes }] };
}

/** What does nothing in inference; a class of this name that somebody has registered stays. */
function nothing(layer: Fields): Rewritten | undefined {
  if (isLayerClass(String(layer.class_name))) return undefined;
  return { layers: [as(layer, 'Activation', { activation: 'linear' })] };
}

/** Filters that see one channel each are a depthwise convolution, with the same numbers in the same order. */
function grouped(layer: Fields, config: Fields, weights: WeightShapes): Rewritten | undefined {
  const { groups = 1, filters, kernel_initializer: _, ...kept } = config;
  if (groups === 1) return undefined;
  if (weights.get('kernel')?.[2] !== 1) return { layers: [{ ...layer, class_name: GROUPED_CONVOLUTION }] };
  const [channels, each] = [Number(groups), Number(filters) / Number(groups)];
  return {
    layers: [as(layer, 'DepthwiseConv2D', { ...kept, depth_multiplier: each })],
    reweigh: (name, shape) =>
      name === 'kernel'
        ? { name: 'depthwise_kernel', shape: [...shape.slice(0, 2), channels, each] }
        : { name, shape },
  };
}

/** TensorFlow.js passes over `keepdims`; what comes behind the layer gives the axes back, whatever their sizes. */
function keepingDimensions(layer: Fields, config: Fields): Rewritten | undefined {
  if (config.keepdims !== true || config.data_format === 'channels_first') return undefined;
  const [name, pooled, row] = [String(config.name), `${config.name}/pooled`, `${config.name}/row`];
  const uses = listOf(layer.inbound_nodes);
  const behind = (other: string, made: Fields): Fields => ({
    ...made,
    ...(uses.length > 0 && { inbound_nodes: uses.map((_, use) => [[other, use, 0, {}]]) }),
  });
  const repeat = { class_name: 'RepeatVector', config: { name: `${name}/once`, n: 1 } };
  const first = named({ ...layer, config: { ...config, keepdims: false } }, pooled);
  const axis = as(layer, 'RepeatVector', { n: 1 });
  if (String(layer.class_name).endsWith('1D')) return { layers: [first, behind(pooled, axis)] };
  return {
    layers: [
      first,
      behind(pooled, named(axis, row)),
      behind(row, as(layer, 'TimeDistributed', { layer: repeat })),
    ],
  };
}

/** By numbers that are settings, or by weights: a batch normalization of the same mean and variance. */
function normalization(layer: Fields, config: Fields): Rewritten {
  const { name, mean, variance, invert } = config;
  const axes = [config.axis ?? []].flat();
  const last = listOf(fieldsOf(layer.build_config).input_shape).length - 1;
  if (invert === true || axes.length !== 1 || (axes[0] !== -1 && axes[0] !== last))
    throw new Error(
      `layer ${name} (Normalization) normalizes ${invert === true ? 'in reverse' : `along the axes ${axes}`}; only the last axis can be converted`,
    );
  if (mean === null || mean === undefined)
    return {
      layers: [as(layer, 'BatchNormalization', { axis: axes[0]!, epsilon: 0, center: false, scale: false })],
      reweigh: (weight, shape) => (weight === 'count' ? undefined : { name: `moving_${weight}`, shape }),
    };
  const means = [mean].flat(3).map(Number);
  const deviations = [variance ?? 1].flat(3).map((value) => Math.sqrt(Number(value)));
  const scale = deviations.map((deviation) => 1 / deviation);
  const offset = means.map((value, i) => -value / deviations[i]!);
  return { layers: [rescaling(layer, String(name), { scale, offset })] };
}

/** The layer with another class and settings, under its name and at its place. */
function as(layer: Fields, className: string, settings: Fields): Fields {
  const { name, trainable = true, dtype = 'float32' } = fieldsOf(layer.config);
  return { ...layer, class_name: className, config: { ...settings, name: name!, trainable, dtype } };
}

function named(layer: Fields, name: string): Fields {
  return { ...layer, name, config: { ...fieldsOf(layer.config), name } };
}

function rescaling(layer: Fields, name: string, settings: Fields, uses?: readonly Json[]): Fields {
  const made = named(as(layer, 'Rescaling', { scale: 1, offset: 0, ...settings }), name);
  return uses === undefined ? made : { ...made, inbound_nodes: uses };
}

/** Weights under their new names and in their new shapes, without those that are left out. */
function reweighed(
  { weightSpecs = [], weightData = [] }: io.ModelArtifacts,
  reweighs: ReadonlyMap<string, Reweigh>,
): Pick<io.ModelArtifacts, 'weightSpecs' | 'weightData'> {
  const data = new Uint8Array(io.concatenateArrayBuffers([weightData].flat()));
  let offset = 0;
  const kept = weightSpecs.flatMap((spec) => {
    const bytes = data.slice(offset, offset + bytesOf(spec));
    offset += bytes.length;
    const at = spec.name.lastIndexOf('/');
    const [layer, weight] = [spec.name.slice(0, at), spec.name.slice(at + 1)];
    const reweigh = reweighs.get(layer);
    if (reweigh === undefined) return [{ spec, bytes }];
    const { name, shape } = reweigh(weight, spec.shape) ?? {};
    return name === undefined ? [] : [{ spec: { ...spec, name: `${layer}/${name}`, shape: shape! }, bytes }];
  });
  return {
    weightSpecs: kept.map(({ spec }) => spec),
    weightData: io.concatenateArrayBuffers(kept.map(({ bytes }) => bytes.buffer)),
  };
}
