/** What Keras computes where TensorFlow.js has a layer of the same name that computes something else. */
import {
  add,
  cast,
  depthwiseConv2d,
  div,
  expandDims,
  image,
  type io,
  mul,
  reverse,
  serialization,
  slice,
  sum,
  type Tensor,
  type Tensor4D,
  transpose,
} from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { BIDIRECTIONAL, registerBidirectional } from './bidirectional.ts';
import { ResetAfterGRU } from './layers/recurrent.ts';
import { registerOwnLayers } from './layers/table.ts';
import { type Fields, fieldsOf, isFields, isOfKeras, type Json } from './topology.ts';

type Layer = layers.Layer;
type Shape = Array<number | null>;
type Results = Tensor | Tensor[];

type LayerClass = (new (
  config: object,
) => Layer) & { fromConfig(cls: object, config: object, ...rest: unknown[]): Layer };

interface KerasForm {
  /** Whether a layer of these settings, as Keras saves them, is one that TensorFlow.js computes otherwise. */
  readonly when: (config: Fields) => boolean;
  /** `own` is what TensorFlow.js computes. */
  readonly call: (layer: Layer, x: Tensor, mask: Tensor | undefined, own: () => Results) => Results;
  /** From what TensorFlow.js states. */
  readonly outputShape?: (layer: Layer, given: Shape, own: Shape) => Shape;
  /** Settings that TensorFlow.js does not state of a class by another name; a wrapper makes its layers out of those. */
  readonly settings?: (layer: Layer) => serialization.ConfigDict;
}

/** A recurrent layer gives zeros, not its last result, for steps that a mask leaves out. */
const ZERO_OUTPUT: KerasForm = {
  when: (config) => config.zero_output_for_mask === true && config.return_sequences === true,
  call: (layer, _, mask, own) => {
    const results = own();
    if (mask === undefined) return results;
    const [sequence, ...states] = [results].flat() as [Tensor, ...Tensor[]];
    const steps = cast(mask, 'float32');
    const order = (layer as Layer & { goBackwards: boolean }).goBackwards ? reverse(steps, 1) : steps;
    const kept = mul(sequence, expandDims(order, -1));
    return Array.isArray(results) ? [kept, ...states] : kept;
  },
};

interface Depthwise extends Layer {
  readonly kernelSize: readonly number[];
  readonly strides: [number, number];
  readonly dilationRate: number | [number, number];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  readonly activation: { apply(x: Tensor): Tensor } | null;
}

/** By class. */
export const KERAS_FORMS: Readonly<Record<string, KerasForm>> = {
  LSTM: ZERO_OUTPUT,
  GRU: ZERO_OUTPUT,
  [ResetAfterGRU.className]: ZERO_OUTPUT,
  SimpleRNN: ZERO_OUTPUT,
  RNN: {
    ...ZERO_OUTPUT,
    settings: (layer) => {
      const { cell } = layer as Layer & { cell: Layer };
      return { cell: { className: cell.getClassName(), config: cell.getConfig() } };
    },
  },
  /** The same: their masks go where Keras lets them, see masked_models.ts. */
  Masking: { when: () => true, call: (_layer, _x, _mask, own) => own() },
  Embedding: { when: (config) => config.mask_zero === true, call: (_layer, _x, _mask, own) => own() },
  /** The mean of the steps that a mask leaves. */
  GlobalAveragePooling1D: {
    when: () => true,
    call: (_, x, mask, own) => {
      if (mask === undefined) return own();
      const steps = expandDims(cast(mask, 'float32'), -1);
      return div(sum(mul(x, steps), 1), sum(steps, 1));
    },
  },
  /** Half-pixel centres; TensorFlow.js takes the corner of each pixel. */
  UpSampling2D: {
    when: (config) => config.interpolation === 'bilinear',
    call: (layer, x) => {
      const { size, dataFormat } = layer as Layer & { size: number[]; dataFormat: string };
      return channelsLast(dataFormat === 'channelsFirst', x, (images) =>
        image.resizeBilinear(images, [images.shape[1] * size[0]!, images.shape[2] * size[1]!], false, true),
      );
    },
  },
  /** The same; TensorFlow.js aligns the corners of both images. */
  Resizing: {
    when: () => true,
    call: (layer, x) => {
      const { height, width, interpolation } = layer as Layer & Record<string, unknown>;
      const resize = interpolation === 'nearest' ? image.resizeNearestNeighbor : image.resizeBilinear;
      return resize(x as Tensor4D, [Number(height), Number(width)], false, true);
    },
  },
  /** Pixels as they are; TensorFlow.js interpolates between them, and begins elsewhere. */
  CenterCrop: {
    when: () => true,
    call: (layer, x) => {
      const { height, width } = layer as Layer & { height: number; width: number };
      const [, rows, columns] = x.shape as [number, number, number];
      if (height > rows || width > columns)
        throw new Error(
          `layer ${layer.name} (CenterCrop) crops ${rows} x ${columns} pixels to ${height} x ${width}, which are more: ` +
            'it cannot be converted so. Resize the images before, or save the model as a graph model',
        );
      const begin = [0, Math.floor((rows - height) / 2), Math.floor((columns - width) / 2), 0];
      return slice(x, begin, [x.shape[0]!, height, width, x.shape[3]!]);
    },
  },
  /** TensorFlow.js passes over the dilation. */
  DepthwiseConv2D: {
    when: (config) => [config.dilation_rate ?? 1].flat().some((rate) => rate !== 1),
    call: (layer, x) => {
      const { strides, padding, dilationRate, dataFormat, activation } = layer as Depthwise;
      const [kernel, bias] = layer.getWeights() as [Tensor4D, Tensor?];
      const result = channelsLast(dataFormat === 'channelsFirst', x, (images) => {
        const convolved = depthwiseConv2d(images, kernel, strides, padding, 'NHWC', dilationRate);
        return bias === undefined ? convolved : (add(convolved, bias) as Tensor4D);
      });
      return activation === null ? result : activation.apply(result);
    },
    outputShape: (layer, given, own) => {
      const { kernelSize, strides, dilationRate, padding, dataFormat } = layer as Depthwise;
      const shape = [...own];
      kernelSize.forEach((size, i) => {
        const axis = i + (dataFormat === 'channelsFirst' ? 2 : 1);
        const [length, rates] = [given[axis]!, [dilationRate].flat()];
        const border = padding === 'same' ? 0 : (size - 1) * (rates[i] ?? rates[0]!);
        if (length !== null) shape[axis] = Math.ceil((length - border) / strides[i]!);
      });
      return shape;
    },
  },
};

/**
 * The same model, of layers that compute what Keras does. One that TensorFlow.js itself made stays as it is: it was trained
 * with what TensorFlow.js computes.
 */
export function inKerasForms(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  const topology = artifacts.modelTopology as Fields;
  if (!isOfKeras(topology)) return artifacts;
  registerForms();
  registerBidirectional();
  return { ...artifacts, modelTopology: renamed(topology) as Fields };
}

function renamed(value: Json): Json {
  if (Array.isArray(value)) return value.map(renamed);
  if (!isFields(value)) return value;
  const read = value.class_name === 'Bidirectional' ? bidirectional(value) : value;
  const fields = Object.fromEntries(Object.entries(read).map(([key, part]) => [key, renamed(part)]));
  const { class_name, config } = value;
  if (KERAS_FORMS[String(class_name)]?.when(fieldsOf(config)) !== true) return fields;
  return { ...fields, class_name: formName(String(class_name)) };
}

/**
 * Whatever its layers say themselves, they give zeros for steps that a mask leaves out (force_zero_output_for_mask in
 * Keras' bidirectional.py). The way back may be a layer of its own.
 */
function bidirectional(layer: Fields): Fields {
  const config = fieldsOf(layer.config);
  const zero = (within: Fields): Fields => ({
    ...within,
    config: { ...fieldsOf(within.config), zero_output_for_mask: true },
  });
  const { layer: forward, backward_layer: backward, ...rest } = config;
  if (!isFields(backward)) return { ...layer, config: { ...rest, layer: zero(fieldsOf(forward)) } };
  return {
    ...layer,
    class_name: BIDIRECTIONAL,
    config: { ...rest, layer: zero(fieldsOf(forward)), backward_layer: zero(backward) },
  };
}

const formName = (className: string): string => `Keras${className}`;

/** What `action` makes of images, whose channels lie first or last, with the channels last. */
function channelsLast(first: boolean, x: Tensor, action: (images: Tensor4D) => Tensor4D): Tensor {
  if (!first) return action(x as Tensor4D);
  return transpose(action(transpose(x as Tensor4D, [0, 2, 3, 1])), [0, 3, 1, 2]);
}

/** Lets `tf.loadLayersModel` read models with these layers; doing it again changes nothing. */
function registerForms(): void {
  registerOwnLayers();
  const { classNameMap } = serialization.SerializationMap.getMap();
  for (const [name, form] of Object.entries(KERAS_FORMS)) {
    if (formName(name) in classNameMap) continue;
    const Own = classNameMap[name]![0] as unknown as LayerClass;
    class Formed extends Own {
      static readonly className = formName(name);

      /** TensorFlow.js puts a cell into the settings that it is given, out of which Bidirectional makes two layers. */
      static override fromConfig(cls: object, config: object, ...rest: unknown[]): Layer {
        return Own.fromConfig(cls, { ...config }, ...rest);
      }

      override call(inputs: Results, kwargs: { mask?: Tensor | Tensor[] | null }): Results {
        const [x] = [inputs].flat() as [Tensor];
        const [mask] = [kwargs?.mask ?? []].flat();
        return form.call(this, x, mask ?? undefined, () => super.call(inputs, kwargs) as Results);
      }

      override getConfig(): serialization.ConfigDict {
        return { ...super.getConfig(), ...form.settings?.(this) };
      }

      override computeOutputShape(given: Shape | Shape[]): Shape | Shape[] {
        const own = super.computeOutputShape(given) as Shape | Shape[];
        const [one] = (Array.isArray(given[0]) ? given : [given]) as Shape[];
        return form.outputShape?.(this, one!, own as Shape) ?? own;
      }
    }
    serialization.registerClass(Formed as never);
  }
}
