/** Keras' Bidirectional whose way back is a layer of its own (`backward_layer`), which TensorFlow.js does not read. */
import { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

export const BIDIRECTIONAL = 'KerasBidirectional';

type Layer = layers.Layer;
type Shape = Array<number | null>;

interface Described {
  readonly className: string;
  readonly config: serialization.ConfigDict;
}

interface Config extends serialization.ConfigDict {
  backwardLayer: never;
}

interface TwoWays extends Layer {
  forwardLayer: Layer;
  backwardLayer: Layer;
  readonly mergeMode: string | null;
  readonly returnState: boolean;
}

type TwoWaysClass = (new (
  config: Config,
) => TwoWays) & {
  fromConfig(cls: object, config: Config): TwoWays;
};

/** Lets `tf.loadLayersModel` read models with this layer; doing it again changes nothing. */
export function registerBidirectional(): void {
  const { classNameMap } = serialization.SerializationMap.getMap();
  if (BIDIRECTIONAL in classNameMap) return;
  const Own = classNameMap.Bidirectional![0] as unknown as TwoWaysClass;

  class Bidirectional extends Own {
    static readonly className = BIDIRECTIONAL;

    static override fromConfig(cls: object, config: Config): TwoWays {
      return Own.fromConfig(cls, { ...config, backwardLayer: made(config.backwardLayer) as never });
    }

    constructor(config: Config) {
      super(config);
      this.backwardLayer = config.backwardLayer as Layer;
      this.backwardLayer.name = `backward_${this.backwardLayer.name}`;
    }

    override computeOutputShape(given: Shape): Shape | Shape[] {
      const [forward, ...states] = shapes(this.forwardLayer, given);
      const [backward, ...statesBack] = shapes(this.backwardLayer, given);
      const both = [...forward!.slice(0, -1), forward!.at(-1)! + backward!.at(-1)!];
      const merged = { concat: [both], null: [forward!, backward!] }[`${this.mergeMode}`] ?? [forward!];
      const all = this.returnState ? [...merged, ...states, ...statesBack] : merged;
      return all.length === 1 ? all[0]! : all;
    }
  }
  serialization.registerClass(Bidirectional as never);
}

function shapes(layer: Layer, given: Shape): Shape[] {
  const shape = layer.computeOutputShape(given) as Shape | Shape[];
  return Array.isArray(shape[0]) ? (shape as Shape[]) : [shape as Shape];
}

function made({ className, config }: Described): unknown {
  const [cls, fromConfig] = serialization.SerializationMap.getMap().classNameMap[className]!;
  return fromConfig(cls as never, config);
}
