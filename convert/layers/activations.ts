/** Activations of Keras that TensorFlow.js lacks. */
import {
  abs,
  add,
  cast,
  clipByValue,
  div,
  elu,
  exp,
  greater,
  leakyRelu,
  mul,
  neg,
  relu,
  relu6,
  serialization,
  sigmoid,
  softplus,
  sqrt,
  square,
  sub,
  type Tensor,
  tanh,
} from '@tensorflow/tfjs-core';

type Function = (x: Tensor) => Tensor;

const sixth: Function = (x) => div(relu6(add(x, 3)), 6);
const silu: Function = (x) => mul(x, sigmoid(x));
const hardSilu: Function = (x) => mul(x, sixth(x));

/** The hard sigmoid of Keras 3; in Keras 2, as in TensorFlow.js, it is another function. */
export const HARD_SIGMOID_3 = 'HardSigmoidOfKeras3';

/** By their names in Keras. */
const ACTIVATIONS: Readonly<Record<string, Function>> = {
  [HARD_SIGMOID_3]: sixth,
  exponential: exp,
  silu,
  hard_silu: hardSilu,
  hard_swish: hardSilu,
  leaky_relu: (x) => leakyRelu(x, 0.2),
  celu: (x) => elu(x),
  squareplus: (x) => div(add(x, sqrt(add(square(x), 4))), 2),
  log_sigmoid: (x) => neg(softplus(neg(x))),
  hard_tanh: (x) => clipByValue(x, -1, 1),
  tanh_shrink: (x) => sub(x, tanh(x)),
  hard_shrink: (x) => mul(x, cast(greater(abs(x), 0.5), 'float32')),
  soft_shrink: (x) => sub(relu(sub(x, 0.5)), relu(sub(neg(x), 0.5))),
};

interface Activation {
  apply(x: Tensor): Tensor;
}

/** Lets layers name these; doing it again changes nothing. A name that is taken stays whose it is. */
export function registerActivations(): void {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const Base = Object.getPrototypeOf(classNameMap.relu![0]) as new () => Activation;
  for (const [name, apply] of Object.entries(ACTIVATIONS)) {
    const camel = camelCase(name); // as TensorFlow.js turns all words of a configuration
    if (camel in classNameMap) continue;
    class KerasActivation extends Base {
      static readonly className = camel;

      override apply(x: Tensor): Tensor {
        return apply(x);
      }
    }
    serialization.registerClass(KerasActivation as never);
  }
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
