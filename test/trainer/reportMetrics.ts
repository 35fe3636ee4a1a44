/** Figures of runs that never were, for tests of the report: equal arguments give equal figures. */
import { falseAlarmRange } from '../../agent/inspect/falseAlarms.ts';
import { conformalP } from '../../agent/inspect/threshold.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { Threshold } from '../../config/threshold.ts';
import { summarize } from '../../trainer/evaluation/summarize.ts';
import type { ScoredImage, Warning } from '../../trainer/evaluation/types.ts';
import type { EvaluationMetrics, Metrics } from '../../trainer/metrics.ts';
import { random } from '../support/images.ts';

/** Text that breaks a page which does not escape it. */
export const NASTY = '<script>alert("x")</script>&\'';

export interface Sample {
  readonly recipe: Recipe;
  /** Scores of good test images; none of either: no test. */
  readonly good?: readonly number[];
  /** Scores of each kind of anomaly. */
  readonly kinds?: Readonly<Record<string, readonly number[]>>;
  readonly calibration?: readonly number[];
  readonly threshold?: Omit<Threshold, 'revision'>;
  readonly warnings?: number;
  readonly unchecked?: number;
  readonly epochs?: number;
  readonly interrupted?: boolean;
  readonly labelled?: boolean;
  readonly tuning?: boolean;
  readonly quantization?: Metrics['quantization'];
}

/** Log-normal scores. */
export function scores(count: number, centre: number, spread: number, seed: number): number[] {
  const uniform = random(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: count }, () => centre * Math.exp(spread * normal()));
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);

export function evaluationMetrics(sample: Sample): EvaluationMetrics {
  const { recipe } = sample;
  const calibration = sorted(sample.calibration ?? scores(99, 0.01, 0.25, 1));
  const n = calibration.length;
  const threshold = {
    rule: { rule: 'conformal', alpha: 0.05 } as const,
    upper: calibration[n - Math.max(1, Math.floor(0.05 * (n + 1)))]!,
    lower: null,
    ...sample.threshold,
    revision: 1,
  };
  return {
    format: 1,
    trainer: '0.1.0',
    node: 'v24.0.0',
    command: `trainer evaluate bundle.onnx --good ${'a/very/long/path/'.repeat(8)} --bad '${NASTY}'`,
    seed: 1,
    bundle: {
      name: recipe.name,
      intendedUse: recipe.intendedUse,
      digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
      bytes: 1_234_567,
      mapAlarm: 0.05,
      holds: 'weights, statistics and calibration scores',
      input: recipe.input,
      residual: recipe.residual,
      encoder: { name: 'efficientnet-lite0', source: 'package 0.1.0', licence: 'Apache-2.0' },
    },
    calibration: {
      images: calibration.map((score, i) => ({ name: `good ${i}.png`, score })),
      falseAlarms:
        threshold.rule.rule === 'conformal'
          ? { promised: 0.05, ...falseAlarmRange(Math.max(1, Math.floor(0.05 * (n + 1))), n) }
          : null,
      called: calibration.filter((s) => s > threshold.upper).length,
      threshold,
    },
    evaluation: evaluationOf(sample, calibration, threshold),
  };
}

export function fitMetrics(sample: Sample): Metrics {
  const { recipe } = sample;
  const epochs = sample.epochs ?? 30;
  const history = Array.from({ length: epochs }, (_, i) => ({
    epoch: i + 1,
    loss: 0.2 * Math.exp(-i / 6) + 0.01,
    validationLoss: 0.2 * Math.exp(-i / 6) + 0.012 + 0.001 * Math.sin(i),
    seconds: 1,
    labelled: sample.labelled ? { good: 0.02 + 0.2 / (i + 1), poor: 0.035 + 0.2 / (i + 1) } : null,
  }));
  const lowest = Math.min(...history.map(({ validationLoss }) => validationLoss));
  const best = history.find(({ validationLoss }) => validationLoss === lowest) ?? {
    epoch: 0,
    validationLoss: 0,
  };
  const { calibration, ...rest } = evaluationMetrics(sample);
  return {
    ...rest,
    calibration,
    command: `trainer fit '${NASTY}' --recipe ${recipe.name}`,
    recipe: { ...recipe, epochs: sample.interrupted ? epochs + 7 : epochs },
    backend: { wanted: 'auto', got: 'onnx', why: 'it is here', device: 'CPU', library: 'onnxruntime 1.30' },
    data: {
      folder: NASTY,
      found: 500,
      refused: 1,
      refusedFiles: [{ name: `${NASTY}${'long'.repeat(60)}.png`, reason: 'corrupt', message: NASTY }],
      significantBits: null,
      duplicates: 2,
      sizes: { smallest: '512 x 512', median: '1024 x 1024', largest: '3000 x 2000' },
      train: 300,
      validation: 100,
      calibration: calibration.images.length,
      digest: 'sha256:0',
    },
    model: {
      parameters: 184_355,
      layers: ['conv2d', 'max_pooling2d', 'up_sampling2d_with_a_long_name_for_a_layer'].map((name, i) => ({
        name,
        kind: 'Conv2D',
        shape: [128, 128, 32],
        parameters: 896 * i,
      })),
      compute: { multiplyAdds: 356_515_840, milliseconds: 12.34 },
    },
    quantization: sample.quantization ?? null,
    training: {
      history,
      best: { epoch: best.epoch, validationLoss: best.validationLoss },
      resumedFrom: 0,
      interrupted: sample.interrupted ?? false,
      seconds: 345,
      imagesPerSecond: 87,
    },
    tuning: sample.tuning ? tuningOf() : null,
    examples: null,
    suspicious: [],
    overlays: [],
    defects: null,
  };
}

function evaluationOf(
  { good = [], kinds = {}, warnings = 0, unchecked = 0, recipe }: Sample,
  calibration: readonly number[],
  { upper, lower }: Pick<Threshold, 'upper' | 'lower'>,
): EvaluationMetrics['evaluation'] {
  if (good.length === 0 && Object.keys(kinds).length === 0) return null;
  const uniform = random(7);
  const image = (kind: string, score: number, i: number): ScoredImage => ({
    name: `${kind}/${NASTY}${i % 5 === 0 ? '-capture-of-a-long-day'.repeat(6) : ''}${i}.png`,
    path: null,
    group: null,
    sha256: `${kind}${i}`,
    pictureSha256: `${kind}${i}`,
    label: kind === 'good' ? 'good' : 'poor',
    kind,
    score,
    p: conformalP(score, calibration),
    verdict: score > upper || (lower !== null && score < lower) ? 'review' : 'pass',
    order: i,
    properties: {
      bytes: 1000 + 500 * uniform() - (kind === 'good' ? 0 : 150),
      width: 64,
      height: 64,
      channels: recipe.input.channels,
      format: 'png',
      jpegQuality: null,
      mean: 100 * uniform(),
      deviation: 40 * uniform(),
      sharpness: uniform(),
      border: 0,
      text: 0,
      thumbnail: new Uint8Array(1024),
    },
  });
  const images = Object.entries({ good, ...kinds }).flatMap(([kind, values]) =>
    values.map((score, i) => image(kind, score, i)),
  );
  const refused = [{ name: NASTY, reason: 'truncated' as const, message: 'It ends early.' }];
  return {
    ...summarize(images, { refused, orderedBy: 'name', reference: null, seed: 1 }),
    sources: ['good=test/good', `poor=${'test/poor/'.repeat(12)}`],
    warnings: Array.from({ length: warnings }, (_, i) => warning(i)),
    unchecked: Array.from(
      { length: unchecked },
      () => 'Whether training and test share images: give --reference DIR.',
    ),
  };
}

const warning = (i: number): Warning => ({
  code: 'shared-images',
  severity: i % 3 === 0 ? 'serious' : 'notable',
  message: `${i + 2} test images are also in the training folder, such as ${NASTY}${'long'.repeat(40)}.png.`,
  advice: 'Take them out of one of the two, and evaluate again: the figures are too good by that.',
  figures: { images: i + 2 },
});

function tuningOf(): NonNullable<Metrics['tuning']> {
  const sweep = Array.from({ length: 100 }, (_, i) => {
    const threshold = 0.005 * 1.02 ** i;
    const recall = 1 / (1 + (threshold / 0.02) ** 4);
    const precision = 1 / (1 + (0.008 / threshold) ** 3);
    return { threshold, precision, recall, f1: (2 * precision * recall) / (precision + recall) };
  });
  const { threshold, f1 } = sweep.reduce((a, b) => (b.f1 > a.f1 ? b : a));
  return { good: 50, poor: 48, sweep, chosen: { threshold, f1 } };
}
