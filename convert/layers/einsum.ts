/** EinsumDense: a product of the input and a kernel along the axes that an equation names. */
import { add, einsum, type Tensor } from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { KerasLayer, one, type Settings, type Shape, type Shapes, type Tensors } from './keras_layer.ts';

interface EinsumSettings extends Settings {
  /** As `abc,cd->abd`; `...` may begin both sides of the input. */
  readonly equation: string;
  /** Behind the batch, or behind what `...` stands for; null is the input's. */
  readonly outputShape: number | Array<number | null>;
  readonly biasAxes?: string | null;
  readonly activation?: string | null;
}

/** The axes of input, kernel and result, one letter each, with their sizes; null is open. */
interface Product {
  readonly input: string;
  readonly kernel: string;
  readonly output: string;
  readonly sizes: ReadonlyMap<string, number | null>;
}

/** Letters for the axes of `...`: capitals, which equations of Keras do not use. */
const ELIDED = 'ZYXWVU';

export class EinsumDense extends KerasLayer<EinsumSettings> {
  static readonly className = 'PlumblineEinsumDense';

  #product(shape: Shape): Product {
    const [, given, kernel, result] = /^(\S+),(\w+)->(\S+)$/.exec(this.settings.equation) ?? [];
    const elided = given?.startsWith('...') ? shape.length - given.length + 3 : 0;
    const [input, output] = [given, result].map((axes) => axes?.replace(/^\.\.\./, ELIDED.slice(0, elided)));
    if (!input || !output || !kernel || !/^\w+$/.test(input + output) || input.length !== shape.length)
      return this.refuse(
        `(EinsumDense) has the equation ${this.settings.equation} for an input of ${shape.length} axes, which cannot be converted`,
      );
    const sizes = new Map([...input].map((axis, i) => [axis, shape[i]!]));
    const own = [this.settings.outputShape].flat();
    own.forEach((size, i) => {
      if (size !== null) sizes.set(output[output.length - own.length + i]!, size);
    });
    return { input, kernel, output, sizes };
  }

  override build(given: Shapes): void {
    const { kernel, output, sizes } = this.#product(given as Shape);
    this.weigh(
      'kernel',
      [...kernel].map((axis) => sizes.get(axis)!),
    );
    const biased = this.settings.biasAxes ?? '';
    const first = [...output].findIndex((axis) => biased.includes(axis));
    if (first !== -1)
      this.weigh(
        'bias',
        [...output.slice(first)].map((axis) => (biased.includes(axis) ? sizes.get(axis)! : 1)),
      );
    this.built = true;
  }

  override computeOutputShape(given: Shapes): Shape {
    const { output, sizes } = this.#product(given as Shape);
    return [...output].map((axis) => sizes.get(axis)!);
  }

  override call(inputs: Tensors): Tensor {
    const x = one(inputs);
    const { input, kernel, output } = this.#product(x.shape);
    const { kernel: factor, bias } = this.held;
    const product = einsum(`${input},${kernel}->${output}`, x, factor!);
    const whole = bias === undefined ? product : add(product, bias);
    const activation = layers.activation({ activation: (this.settings.activation ?? 'linear') as 'linear' });
    return activation.call(whole, {}) as Tensor;
  }
}
