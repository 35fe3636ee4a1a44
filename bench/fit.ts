/** Trains as `trainer fit` does, on a domain of the data beside the repository. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism, homedir } from 'node:os';
import path from 'node:path';
import type { Evaluation } from '../trainer/evaluation/types.ts';
import type { Metrics } from '../trainer/metrics.ts';
import manifest from '../trainer/package.json' with { type: 'json' };
import { loadRecipe } from '../trainer/recipe.ts';
import type { Change } from '../trainer/recipe-keys.ts';
import { runTrainer } from '../trainer/run.ts';
import { type BenchContext, MissingPrerequisite } from './bench.ts';

export const DATA = path.join(import.meta.dirname, '../../shared/data');

export interface Domain {
  /** Of its folder. */
  readonly name: string;
  /** Where file names tell the patient. */
  readonly groupBy?: string;
}

export interface Fitted {
  readonly out: string;
  readonly metrics: Metrics;
  readonly evaluation: Evaluation & { readonly auroc: NonNullable<Evaluation['auroc']> };
  readonly totalSeconds: number;
  readonly processorSeconds: number;
}

/** @throws MissingPrerequisite when the data of a domain is not there. */
export function requireData(domains: readonly Domain[]): void {
  const missing = domains.find(({ name }) => !existsSync(path.join(DATA, name)));
  if (missing !== undefined)
    throw new MissingPrerequisite(`The images of ${missing.name} are not in ../shared/data.`);
}

/** Into `out`, which is emptied before. Seed 1, all threads; `seed` otherwise. */
export async function fitDomain(
  { name, groupBy }: Domain,
  recipe: string,
  out: string,
  { backends, environment, report }: BenchContext,
  { seed, changes = [] }: { readonly seed?: number; readonly changes?: readonly Change[] } = {},
): Promise<Fitted> {
  await rm(out, { recursive: true, force: true });
  report(`\n== ${name}\n`);
  const started = performance.now();
  const before = process.cpuUsage();
  const grouped = groupBy === undefined ? [] : [{ key: 'split.groupBy', value: groupBy }];
  const metrics = await runTrainer(
    {
      folder: path.join(DATA, name),
      out,
      recipe: () => loadRecipe(recipe, [...grouped, ...changes]),
      seed,
      examples: null,
      realGolden: false,
      quantize: false,
      labelled: { test: null, good: [], bad: [], csv: null },
      backend: 'auto',
      threads: availableParallelism(),
      cache: backends,
      resume: false,
      stop: new AbortController().signal,
      command: 'npm run bench',
      versions: { trainer: manifest.version, node: process.version },
      environment,
      home: homedir(),
    },
    { say: (line) => report(`${line}\n`), bar: () => ({ step: () => {}, end: () => {} }) },
  );
  const { user, system } = process.cpuUsage(before);
  const { evaluation } = metrics;
  if (evaluation?.auroc == null) throw new Error(`${name} was not tested on labels of both kinds.`);
  return {
    ...{ out, metrics },
    evaluation: { ...evaluation, auroc: evaluation.auroc },
    totalSeconds: (performance.now() - started) / 1000,
    processorSeconds: (user + system) / 1e6,
  };
}

export function bestTrivial({ baselines }: Evaluation): { name: string; auroc: number } {
  const known = baselines.filter((one): one is typeof one & { auroc: number } => one.auroc !== null);
  return known.reduce((best, one) => (one.auroc > best.auroc ? one : best));
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
