/** Evaluations made up from a seed: without any flaw, for tests to put one in. */
import type { ReferenceImage, ScoredImage } from '../../trainer/evaluation/types.ts';
import type { WarningInput } from '../../trainer/evaluation/warnings/input.ts';
import { type Random, randomFor } from '../../trainer/random.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';
import { estimateRanking } from '../../trainer/statistics/bootstrap.ts';
import { wilson } from '../../trainer/statistics/rates.ts';

export interface Scene {
  images: ScoredImage[];
  train: ReferenceImage[];
  calibration: (ReferenceImage & { score: number | null })[];
  seed: number;
  alpha: number;
}

/** Captures of one imagined device: sizes, qualities, frames, texts and groups occur alike in good and poor. */
export function cleanScene(seed: number, size = { reference: 120, good: 60, poor: 50 }): Scene {
  const random = randomFor(seed, 'scene');
  const grouped = random() < 0.4;
  const separation = 1 + 2.5 * random();
  const shares = {
    large: random(),
    grey: random(),
    png: random(),
    fine: random(),
    framed: random(),
    written: random(),
  };
  const common = picture(random);
  let id = 0;
  const make = (side: string, level: number): ReferenceImage => {
    id++;
    const chance = (share: number) => random() < share;
    const own = picture(random);
    const png = chance(shares.png);
    return {
      name: `${side}-${id}`,
      group: grouped ? `${side}-${Math.floor(id / 2)}` : null,
      sha256: `file-${seed}-${id}`,
      pictureSha256: `picture-${seed}-${id}`,
      properties: {
        bytes: Math.round(Math.exp(10 + 0.3 * normal(random) - 0.2 * level)),
        width: chance(shares.large) ? 800 : 640,
        height: chance(0.5) ? 480 : 500,
        channels: chance(shares.grey) ? 1 : 3,
        format: png ? 'png' : 'jpeg',
        jpegQuality: png ? null : chance(shares.fine) ? 90 : 75,
        mean: 100 + 15 * normal(random),
        deviation: 40 + 6 * normal(random),
        sharpness: 2.5 + 0.3 * normal(random) - 0.3 * level,
        border: chance(shares.framed) ? 0.1 + 0.1 * random() : 0,
        text: chance(shares.written) ? 0.002 + 0.01 * random() : 0,
        thumbnail: Uint8Array.from(own, (v, i) => Math.max(0, Math.min(255, 120 + 35 * common[i]! + 25 * v))),
      },
    };
  };
  const score = (level: number) => Math.exp(0.4 * (normal(random) + level * separation));
  const order = Array.from({ length: size.good + size.poor }, (_, i) => i).sort(() => random() - 0.5);
  const scored = (label: 'good' | 'poor'): ScoredImage => {
    const level = label === 'good' ? 0 : 1;
    return {
      ...make(`test-${label}`, level),
      path: null,
      label,
      kind: label,
      score: score(level),
      p: 1,
      verdict: 'pass',
      order: order.pop()!,
    };
  };
  const many = <T>(n: number, one: () => T) => Array.from({ length: n }, one);
  return {
    seed,
    alpha: 0.05,
    train: many(size.reference, () => make('train', 0)),
    calibration: many(100, () => ({ ...make('calibration', 0), score: score(0) })),
    images: [...many(size.good, () => scored('good')), ...many(size.poor, () => scored('poor'))],
  };
}

/** What an evaluation would hand to `findWarnings`. */
export function inputOf(scene: Scene, changes: Partial<WarningInput> = {}): WarningInput {
  const of = (label: string) => scene.images.filter((image) => image.label === label);
  const scores = (label: string) => of(label).map(({ score }) => score);
  const calibrationScores = scene.calibration.map(({ score }) => score!).sort((a, b) => a - b);
  const upper = calibrationScores[Math.floor(0.95 * calibrationScores.length)]!;
  const hits = scores('good').filter((s) => s > upper).length;
  const count = of('good').length;
  const ranked = scene.images.map(({ label, score, group }) => ({ poor: label === 'poor', score, group }));
  const baseline = (key: 'bytes' | 'mean' | 'deviation' | 'sharpness') => ({
    name: key,
    rule: `small ${key} is poor`,
    auroc: auroc(
      of('good').map(({ properties }) => -properties[key]),
      of('poor').map(({ properties }) => -properties[key]),
    ),
    caught: null,
  });
  return {
    images: scene.images,
    refused: [],
    evaluation: {
      auroc: estimateRanking(ranked, [], scene.seed).auroc,
      baselines: [baseline('bytes'), baseline('mean'), baseline('deviation')],
      orderedBy: 'capture',
      falseAlarms: { hits, count, value: hits / count, ...wilson(hits, count) },
    },
    threshold: { rule: { rule: 'conformal', alpha: scene.alpha }, upper, lower: null, revision: 1 },
    calibrationScores,
    calibrationGroups: calibrationScores.length,
    reference: { train: scene.train, calibration: scene.calibration },
    alpha: scene.alpha,
    seed: scene.seed,
    ...changes,
  };
}

/** `[32, 32]`: waves of random direction and place, of deviation about 1. */
function picture(random: Random): Float32Array {
  const waves = Array.from(
    { length: 8 },
    () => [8 * random() - 4, 8 * random() - 4, 6.3 * random()] as const,
  );
  return Float32Array.from({ length: 1024 }, (_, i) => {
    const [x, y] = [(i % 32) / 5, Math.floor(i / 32) / 5];
    return waves.reduce((sum, [fx, fy, at]) => sum + Math.sin(fx * x + fy * y + at) / 1.6, 0);
  });
}

/** Box and Muller 1958. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
