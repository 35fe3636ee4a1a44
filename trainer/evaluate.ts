/** Scores labelled test images through the device's code, beside rules that anybody could have written. */
import { readFile } from 'node:fs/promises';
import type { Inspector } from '../agent/inspect/inspect.ts';
import { judge } from '../agent/inspect/judge.ts';
import { BASELINES, type Properties, propertiesOf } from './baselines.ts';
import { type FoundFile, findFiles, type TestFolders } from './data/find.ts';
import type { RefusedImage } from './data/load.ts';
import { type Auroc, auroc, aurocWithInterval } from './statistics/auroc.ts';
import { type Interval, wilson } from './statistics/rates.ts';

export type Label = 'good' | 'poor';

export interface TestImage {
  /** Relative to the test folder: `good/...` or `poor/...`. */
  readonly name: string;
  readonly path: string;
  readonly label: Label;
  readonly score: number;
  readonly p: number;
  readonly verdict: 'pass' | 'review';
  readonly sha256: string;
  readonly properties: Properties;
}

/** A share of images, with its 95 % interval (Wilson). */
export interface Rate extends Interval {
  readonly hits: number;
  readonly count: number;
  readonly value: number;
}

export interface Baseline {
  readonly name: string;
  /** What the rule holds for poor, decided before any image was seen. */
  readonly rule: string;
  /** In that direction; the opposite direction has 1 - this. */
  readonly auroc: number;
}

export interface Evaluation {
  readonly images: readonly TestImage[];
  readonly refused: readonly RefusedImage[];
  /** null when one of the two folders has no images. */
  readonly auroc: Auroc | null;
  /** Poor images called for review. */
  readonly detection: Rate;
  /** Good images called for review. */
  readonly falseAlarms: Rate;
  readonly accuracy: Rate;
  /** Accuracy of calling every image for review. */
  readonly flagEverything: number;
  readonly baselines: readonly Baseline[];
  /** Test images whose bytes are those of an image that training or calibration used. */
  readonly leaked: readonly string[];
}

export async function findTestFiles(
  folders: TestFolders,
): Promise<readonly (FoundFile & { readonly label: Label })[]> {
  const files: (FoundFile & { label: Label })[] = [];
  for (const label of ['good', 'poor'] as const) {
    const folder = folders[label];
    if (folder === null) continue;
    for (const file of await findFiles(folder))
      files.push({ path: file.path, name: `${label}/${file.name}`, label });
  }
  return files;
}

export async function evaluate(
  inspector: Inspector,
  files: readonly (FoundFile & { readonly label: Label })[],
  options: { readonly seed: number; readonly used: ReadonlySet<string>; readonly onImage: () => void },
): Promise<Evaluation> {
  const { threshold, calibration } = inspector.bundle.manifest;
  const images: TestImage[] = [];
  const refused: RefusedImage[] = [];
  for (const { path, name, label } of files) {
    const inspection = await inspector.inspect(path);
    options.onImage();
    if (inspection.outcome === 'unscorable') {
      refused.push({ name, reason: inspection.reason, message: inspection.message });
      continue;
    }
    const { score } = inspection;
    const { verdict, p } = judge(score, threshold, calibration.scores);
    const properties = await propertiesOf(await readFile(path));
    images.push({ name, path, label, score, p, verdict, sha256: inspection.sha256!, properties });
  }
  return { images, refused, ...summarizeTest(images, options.seed), leaked: leaks(images, options.used) };
}

/** The figures that follow from scores and verdicts alone. */
export function summarizeTest(
  images: readonly Omit<TestImage, 'path' | 'sha256' | 'p'>[],
  seed: number,
): Omit<Evaluation, 'images' | 'refused' | 'leaked'> {
  const good = images.filter(({ label }) => label === 'good');
  const poor = images.filter(({ label }) => label === 'poor');
  const both = good.length > 0 && poor.length > 0;
  const flagged = (some: typeof images) => some.filter(({ verdict }) => verdict === 'review').length;
  const [caught, alarms] = [flagged(poor), flagged(good)];
  const values = (some: typeof images, key: keyof Properties) => some.map((i) => i.properties[key]);
  return {
    auroc: both
      ? aurocWithInterval(
          good.map((i) => i.score),
          poor.map((i) => i.score),
          seed,
        )
      : null,
    detection: rate(caught, poor.length),
    falseAlarms: rate(alarms, good.length),
    accuracy: rate(caught + good.length - alarms, images.length),
    flagEverything: images.length === 0 ? 0 : poor.length / images.length,
    baselines: both
      ? BASELINES.map(({ key, name, rule }) => ({
          name,
          rule,
          auroc: auroc(
            values(good, key).map((v) => -v),
            values(poor, key).map((v) => -v),
          ),
        }))
      : [],
  };
}

function rate(hits: number, count: number): Rate {
  return { hits, count, value: count === 0 ? 0 : hits / count, ...wilson(hits, count) };
}

const leaks = (images: readonly TestImage[], used: ReadonlySet<string>): string[] =>
  images.filter(({ sha256 }) => used.has(sha256)).map(({ name }) => name);
