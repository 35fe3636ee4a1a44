/** GRU with `reset_after`, Keras' default, of which TensorFlow.js knows the other form alone. */
import {
  add,
  matMul,
  mul,
  serialization,
  split,
  sub,
  type Tensor,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import { initializers, type layers } from '@tensorflow/tfjs-layers';

interface Activation {
  apply(x: Tensor): Tensor;
}

/** As TensorFlow.js holds it; it declares none of this. */
interface Cell extends layers.Layer {
  readonly units: number;
  readonly useBias: boolean;
  readonly activation: Activation;
  readonly recurrentActivation: Activation;
}

interface Recurrent extends layers.Layer {
  cell: layers.Layer;
}

type Config = Readonly<Record<string, unknown>>;

const { classNameMap } = serialization.SerializationMap.getMap();
const [GRU] = classNameMap.GRU as unknown as [new (config: Config) => Recurrent];
const [GRUCell] = classNameMap.GRUCell as unknown as [new (config: Config) => Cell];

/** TensorFlow.js refuses it; the class says it already. */
const before = (config: Config): Config => ({ ...config, resetAfter: false });

/** The gate that resets lies behind the product with the state, which has a bias of its own: bias [2, 3 units]. */
export class ResetAfterCell extends GRUCell {
  static readonly className = 'PlumblineGRUCell';

  constructor(config: Config) {
    super(before(config));
  }

  override build(shape: number[]): void {
    const zeros = initializers.zeros();
    const size = 3 * this.units;
    this.addWeight('kernel', [shape.at(-1)!, size], 'float32', zeros);
    this.addWeight('recurrent_kernel', [this.units, size], 'float32', zeros);
    if (this.useBias) this.addWeight('bias', [2, size], 'float32', zeros);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor[] {
    const [x, state] = inputs as [Tensor2D, Tensor2D];
    const [kernel, recurrent, bias] = this.getWeights() as [Tensor2D, Tensor2D, Tensor2D?];
    const products: Tensor[] = [matMul(x, kernel), matMul(state, recurrent)];
    const biases = bias === undefined ? [] : split(bias, 2, 0);
    const parts = products.map((product, i) => split(biases[i] ? add(product, biases[i]) : product, 3, 1));
    const [[xUpdate, xReset, xNew], [hUpdate, hReset, hNew]] = parts as [Tensor[], Tensor[]] as [
      [Tensor, Tensor, Tensor],
      [Tensor, Tensor, Tensor],
    ];
    const update = this.recurrentActivation.apply(add(xUpdate, hUpdate));
    const reset = this.recurrentActivation.apply(add(xReset, hReset));
    const fresh = this.activation.apply(add(xNew, mul(reset, hNew)));
    const next = add(mul(update, state), mul(sub(1, update), fresh));
    return [next, next];
  }
}

export class ResetAfterGRU extends GRU {
  static readonly className = 'PlumblineGRU';

  constructor(config: Config) {
    super(before(config));
    this.cell = new ResetAfterCell(config);
  }
}
