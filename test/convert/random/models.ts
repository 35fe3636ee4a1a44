/** Random models over all layers of TensorFlow.js: a walk from tensor to tensor, by steps that fit its rank. */
import * as layers from '@tensorflow/tfjs-layers';
import { correctOutputShapes } from '../../../convert/output_shapes.ts';
import { type Draw, drawing } from '../support/draw.ts';
import { seedWeights } from '../support/models.ts';
import { IMAGES, PREPARING } from './images.ts';
import { maskedRecurrence, recurrence, SEQUENCES } from './sequences.ts';
import { elementsOf, type Layer, l, type Steps, type Symbolic, shapeOf, to } from './step.ts';
import { VECTORS } from './vectors.ts';
import { CLIP_STEPS, VOLUME_STEPS, VOLUMES } from './volumes.ts';

export interface RandomModel {
  readonly family: string;
  readonly model: layers.LayersModel;
  /** Of its random inputs. */
  readonly range: readonly [number, number];
}

/** What goes into a model, and the first step that makes the family what it is. */
interface Family {
  readonly range?: readonly [number, number];
  begin(d: Draw): { inputs: Symbolic[]; x: Symbolic };
}

/** By rank, the batch included. */
const STEPS: Readonly<Record<number, Steps>> = { 2: VECTORS, 3: SEQUENCES, 4: IMAGES, 5: VOLUMES };

const FAMILIES: Readonly<Record<string, Family>> = {
  images: { begin: (d) => single([d.int(8, 12), d.int(8, 12), d.int(1, 3)]) },
  'prepared images': {
    begin: (d) => single([d.int(8, 12), d.int(8, 12), d.int(1, 3)], (x) => d.pick(PREPARING)(x, d)),
  },
  sequences: { begin: (d) => single([d.int(2, 8), d.int(1, 4)], (x) => to(x, recurrence(d, true))) },
  'word numbers': { range: [0, 9], begin: words },
  volumes: {
    begin: (d) =>
      single([d.int(3, 6), d.int(3, 6), d.int(3, 6), d.int(1, 2)], (x) => d.pick(VOLUME_STEPS)(x, d)),
  },
  'sequences of images': {
    begin: (d) =>
      single([d.int(2, 3), d.int(4, 7), d.int(4, 7), d.int(1, 2)], (x) => d.pick(CLIP_STEPS)(x, d)),
  },
  'several inputs': { begin: several },
};

export const FAMILY_NAMES: readonly string[] = Object.keys(FAMILIES);

/** Of numbers that a model may hold between two layers; the plain JavaScript backend is slow. */
const LARGEST = 4000;

/**
 * A random model, two to seven steps deep, with weights drawn at random. Equal seeds give equal models; seeds in a row
 * take the families in turn.
 */
export function randomModel(seed: number): RandomModel {
  const undo = correctOutputShapes();
  try {
    return draw(seed);
  } finally {
    undo();
  }
}

function draw(seed: number): RandomModel {
  const d = drawing(seed);
  const name = FAMILY_NAMES[seed % FAMILY_NAMES.length]!;
  const family = FAMILIES[name]!;
  const { inputs, x } = family.begin(d);
  let outputs = x;
  for (let steps = d.int(2, 6); steps > 0; steps--) {
    const { within, onward } = STEPS[outputs.rank]!;
    const fitting = d.int(1, 4) === 1 ? onward(outputs) : within(outputs);
    const next = d.pick(fitting)(outputs, d);
    if (elementsOf(next) <= LARGEST && shapeOf(next).every((size) => size > 0)) outputs = next;
  }
  const model = layers.model({ inputs, outputs });
  seedWeights(model, seed + 1);
  return { family: name, model, range: family.range ?? [-1, 1] };
}

/** The classes of all layers of a model, with those within wrappers, cells and inner models. */
export function layerClassesOf(model: layers.LayersModel): ReadonlySet<string> {
  const found = new Set([model.getClassName()]);
  const visit = (part: Nesting): void => {
    found.add(part.getClassName());
    const { layer, forwardLayer, cell, layers: inner = [], cells = [] } = part;
    for (const each of [layer, forwardLayer, cell, ...inner, ...cells]) if (each !== undefined) visit(each);
  };
  (model.layers as Nesting[]).forEach(visit);
  return found;
}

/** TensorFlow.js declares none of these on Layer; wrappers, models and recurrent layers have them. */
interface Nesting extends Layer {
  layer?: Nesting;
  forwardLayer?: Nesting;
  cell?: Nesting;
  layers?: Nesting[];
  cells?: Nesting[];
}

function single(shape: number[], first: (x: Symbolic) => Symbolic = (x) => x) {
  const input = l.input({ shape });
  return { inputs: [input], x: first(input) };
}

/** Whole numbers from 0 on: words with a vector each, a masked 0, or counted. */
function words(d: Draw) {
  const [inputDim, outputDim] = [d.pick([3, 9]), d.int(1, 4)];
  return single([d.int(3, 8)], (x) =>
    d.pick([
      () => to(x, l.embedding({ inputDim: 9, outputDim })),
      () => maskedRecurrence(to(x, l.embedding({ inputDim: 9, outputDim, maskZero: true })), d),
      () =>
        to(
          x,
          l.categoryEncoding({ numTokens: inputDim, outputMode: d.pick(['multiHot', 'count']) }) as Layer,
        ),
    ])(),
  );
}

/** Two to four tensors of any rank that are joined. */
function several(d: Draw) {
  const shape = Array.from({ length: d.int(1, 4) }, () => d.int(3, 5));
  const inputs = Array.from({ length: d.int(2, 4) }, () => l.input({ shape }));
  const join = d.pick([l.add, l.multiply, l.average, l.maximum, l.minimum, l.concatenate]);
  if (shape.length > 2 || d.pick([true, false])) return { inputs, x: join({}).apply(inputs) as Symbolic };
  const axes = shape.length;
  const pair = inputs.slice(0, 2);
  return { inputs: pair, x: l.dot({ axes, normalize: d.pick([true, false]) }).apply(pair) as Symbolic };
}
