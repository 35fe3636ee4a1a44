/** `trainer fit --quantize`: the trained bundle once more in 8-bit integers, and whether that one ships. */
import type { Manifest } from '../../config/bundle.ts';
import type { Recipe } from '../../config/recipe.ts';
import { requireQuantizableLayers } from '../../convert/quantize/quantize.ts';
import { QuantizationError } from '../../convert/quantize/search.ts';
import type { Calibrated } from '../calibrate.ts';
import { measureInTurns } from '../compute.ts';
import type { Console } from '../console.ts';
import type { Split } from '../data/split.ts';
import { TrainerError } from '../error.ts';
import type { Metrics } from '../metrics.ts';
import type { Graphs } from '../train.ts';
import { judgeQuantized } from './gate.ts';
import { quantizeGraph } from './graph.ts';
import { type JudgeOptions, judgeBoth } from './judge-both.ts';
import type { Quantization } from './types.ts';

/** To be asked before images are read. @throws TrainerError for a recipe whose graph has nothing to gain. */
export function requireQuantizable({ model, name }: Recipe): void {
  const why = NOTHING_TO_GAIN[model.kind];
  if (why !== undefined) throw nothingToGain(`the graph of ${name} ${why}`);
}

/** To be asked before training begins, of the graph with the weights that it begins with. @throws TrainerError as above. */
export function requireQuantizableGraph(graph: Uint8Array): void {
  try {
    requireQuantizableLayers(graph);
  } catch (cause) {
    throw cause instanceof QuantizationError ? nothingToGain(cause.message) : cause;
  }
}

function nothingToGain(why: string): TrainerError {
  return new TrainerError(
    `--quantize is for recipes that train convolutions on pixels: ${why}. Leave it out, or choose such a recipe (trainer recipes), such as fundus.`,
  );
}

/** By kind of model. */
const NOTHING_TO_GAIN: Readonly<Partial<Record<Recipe['model']['kind'], string>>> = {
  voices: 'spends its time on measuring texture and energy, which integers would make wrong and not faster',
  convlstm:
    'computes its convolutions inside of recurrent cells, and none of those can be computed in integers',
};

/** To be asked at the end, when everything is written. @throws TrainerError when what was asked for was refused. */
export function requireAccepted({ refused, comparison }: Quantization, out: string): void {
  if (refused === null) return;
  const advice = comparison === null ? '' : ', or train longer or on more images and try again';
  throw new TrainerError(
    `--quantize was refused: ${refused}. The bundle in ${out} is the one in float32, complete and tested: use it${advice}.`,
  );
}

export interface Shipped<Told> {
  readonly graphs: Graphs;
  readonly calibrated: Calibrated;
  readonly quantization: Told;
}

export interface QuantizeOptions extends JudgeOptions {
  readonly seed: number;
  readonly split: Pick<Split, 'train' | 'calibration'>;
  readonly calibrateBy: (graphs: Graphs, more: Partial<Manifest['provenance']>) => Promise<Calibrated>;
}

/**
 * Quantises the graph, calibrates it as the one in float32 was, and compares the two on calibration and test images.
 * @returns what ships: the quantised bundle, or where that is refused the one in float32.
 */
export async function quantizeCalibrated(
  inFloat: Shipped<null>,
  options: QuantizeOptions,
  console: Console,
): Promise<Shipped<Quantization>> {
  const { recipe, seed, split, calibrateBy } = options;
  const { graph } = inFloat.graphs;
  const { bundle: before } = inFloat.calibrated;
  const using = { recipe, seed, trained: split.train, bundle: before };
  const quantized = await quantizeGraph(graph, using).catch((error: unknown) => {
    if (error instanceof QuantizationError) return error;
    throw error;
  });
  if (quantized instanceof QuantizationError)
    return { ...inFloat, quantization: { refused: quantized.message, comparison: null } };
  const { model, float, error: noise } = quantized;
  const layers = quantized.layers.length;
  const graphs = { graph: model, unseen: [{ graph: model, images: split.calibration }] };
  const calibrated = await calibrateBy(graphs, { quantization: { kind: 'int8', layers, float: [...float] } });
  const gate = judgeQuantized(await judgeBoth(inFloat.calibrated, calibrated, options, console), seed);
  const { bundle: now } = calibrated;
  const milliseconds = await measureInTurns([graph, model], recipe.input);
  const comparison = {
    ...{ layers, float, noise, gate },
    threshold: { float: before.manifest.threshold.upper, quantized: now.manifest.threshold.upper },
    graphBytes: { float: graph.length, quantized: model.length },
    bundleBytes: { float: before.model.length, quantized: now.model.length },
    milliseconds: { float: milliseconds[0]!, quantized: milliseconds[1]! },
  };
  return gate.refusals.length === 0
    ? { graphs, calibrated, quantization: { refused: null, comparison } }
    : { ...inFloat, quantization: { refused: gate.refusals.join(', and '), comparison } };
}

/** The model's cost is that of the graph that ships. */
export function modelAsShipped(model: Metrics['model'], quantization: Quantization | null): Metrics['model'] {
  if (quantization === null || quantization.refused !== null) return model;
  const milliseconds = quantization.comparison.milliseconds.quantized;
  return { ...model, compute: { ...model.compute, milliseconds } };
}
