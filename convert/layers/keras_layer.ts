/** What the layers here have in common: settings as Keras saves them, and weights by the names that it gives them. */
import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';

export type Shape = Array<number | null>;
export type Tensors = Tensor | Tensor[];
export type Shapes = Shape | Shape[];

/** Settings by the names of Keras, in the camel case that TensorFlow.js turns them into. */
export interface Settings {
  readonly name: string;
}

type LayerVariable = ReturnType<layers.Layer['addWeight']>;

/** A layer of Keras that TensorFlow.js lacks. */
export abstract class KerasLayer<S extends Settings = Settings> extends layers.Layer {
  protected readonly settings: S;
  readonly #weights = new Map<string, LayerVariable>();

  constructor(settings: S) {
    super(settings as never);
    this.settings = settings;
    this.supportsMasking = true; // or TensorFlow.js refuses masks, which Keras does not
  }

  /** Hands on no mask, as most layers of Keras that do not say otherwise. */
  override computeMask(_inputs: Tensors, _mask?: Tensors): Tensors {
    return null as unknown as Tensor; // TensorFlow.js' own word for none
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), ...(this.settings as unknown as serialization.ConfigDict) };
  }

  /** To be loaded by this name. */
  protected weigh(name: string, shape: readonly number[]): void {
    this.#weights.set(name, this.addWeight(name, [...shape], 'float32', initializers.zeros()));
  }

  /** The weights by their names within the layer. */
  protected get held(): Readonly<Record<string, Tensor>> {
    return Object.fromEntries([...this.#weights].map(([name, weight]) => [name, weight.read()]));
  }

  /** @throws Error that names the layer. */
  protected refuse(why: string): never {
    throw new Error(`layer ${this.name} ${why}; save the model as a graph model`);
  }
}

/** A layer that hands its mask on. */
export abstract class MaskedKerasLayer<S extends Settings = Settings> extends KerasLayer<S> {
  override computeMask(_inputs: Tensors, mask?: Tensors): Tensors {
    return mask ?? (null as unknown as Tensor);
  }
}

/** The first, where TensorFlow.js gives a list of one. */
export function one<T extends Tensor = Tensor>(inputs: Tensors): T {
  return [inputs].flat()[0] as T;
}

/** A number for each axis of space, where Keras saved one for all. */
export function each(value: number | readonly number[], dimensions: number): number[] {
  const list = [value].flat() as number[];
  return Array.from({ length: dimensions }, (_, i) => list[i] ?? list[0]!);
}
