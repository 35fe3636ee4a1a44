/** Random models over all layers against TensorFlow.js, and what the ONNX checker says of them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { traceableModel } from '../../convert/model_conversion.ts';
import { trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { FAMILY_NAMES, layerClassesOf, randomModel } from '../../test/convert/random/models.ts';
import { runCommand } from '../../trainer/backend/command.ts';
import type { BenchContext, Table } from '../bench.ts';
import { pythonEnvironment, pythonScript } from '../python/environment.ts';

const BOUND = 1e-4;
const BATCHES = [1, 3, 8];

/** One random model, exported and compared. */
interface Exported {
  readonly seed: number;
  readonly family: string;
  readonly layers: number;
  /** Largest relative difference. */
  readonly relative?: number;
  /** Why it could not be exported or compared, or what is wrong with it. */
  readonly problem?: string;
  /** What the checker says against it. */
  readonly invalid?: string;
}

export async function compareRandomModels(context: BenchContext, folder: string): Promise<Table> {
  const python = await pythonEnvironment(context, 'onnx');
  tf.enableProdMode(); // or its plain JavaScript backend prints a banner that recommends tfjs-node
  await tf.setBackend('cpu');
  const count = context.counts.models!;
  const classes = new Set<string>();
  const models: Exported[] = [];
  for (let seed = 1; seed <= count; seed++) {
    models.push(await exportModel(seed, pathOf(folder, seed), classes));
    if (seed % 10 === 0) context.report('.');
  }
  context.report('\n');
  const written = models.filter(({ relative }) => relative !== undefined);
  const paths = written.map(({ seed }) => pathOf(folder, seed));
  const answer = await runCommand(python, [pythonScript('check.py')], { input: paths.join('\n') });
  const problems = JSON.parse(answer) as Record<string, string | null>;
  const checked = models.map((model) => {
    const invalid = problems[pathOf(folder, model.seed)];
    return typeof invalid === 'string' ? { ...model, invalid } : model;
  });
  return agreement(checked, classes.size);
}

function pathOf(folder: string, seed: number): string {
  return join(folder, `random-${seed}.onnx`);
}

async function exportModel(seed: number, path: string, classes: Set<string>): Promise<Exported> {
  const { family, model, range } = randomModel(seed);
  for (const name of layerClassesOf(model)) classes.add(name);
  const exported = { seed, family, layers: model.layers.length };
  try {
    const { fn, inputs } = traceableModel(model);
    const bytes = trace(fn, inputs);
    await writeFile(path, bytes);
    const { relative, rounding } = await compare(fn, bytes, inputs, {
      ...{ batches: BATCHES, seed, range, tolerance: BOUND },
    });
    if (rounding === undefined) return { ...exported, relative };
    const own = `onnxruntime with and without its optimizations differs by ${rounding.toExponential(1)}`;
    return { ...exported, relative, problem: `relative difference ${relative.toExponential(1)}; ${own}` };
  } catch (error) {
    return { ...exported, problem: (error as Error).message.slice(0, 200) };
  } finally {
    model.dispose();
  }
}

function agreement(models: readonly Exported[], classes: number): Table {
  const row = (name: string, some: readonly Exported[]) => {
    const worst = some.reduce((a, b) => ((b.relative ?? 0) > (a.relative ?? 0) ? b : a), some[0]!);
    const written = some.filter(({ relative }) => relative !== undefined);
    return [
      name,
      some.length,
      some.filter(({ problem }) => problem !== undefined).length,
      worst.relative ?? 'none',
      worst.seed,
      written.filter(({ invalid }) => invalid === undefined).length,
      some.reduce((sum, { layers }) => sum + layers, 0) / some.length,
    ];
  };
  const families = FAMILY_NAMES.map(
    (name) => [name, models.filter(({ family }) => family === name)] as const,
  );
  const wrong = models.filter(({ problem, invalid }) => (problem ?? invalid) !== undefined);
  return {
    title: 'Random models against TensorFlow.js (its plain JavaScript backend)',
    columns: [
      'family',
      'models',
      'failures',
      'worst difference',
      'of seed',
      'valid by onnx.checker',
      'layers',
    ],
    rows: [
      ...families.filter(([, some]) => some.length > 0).map(([name, some]) => row(name, some)),
      row('all', models),
    ],
    notes: [
      ...wrong.map(
        ({ seed, family, problem, invalid }) => `FAILED: seed ${seed}, ${family}: ${problem ?? invalid}`,
      ),
      `Of ${classes} layer classes, cells and wrapped layers counted. layers: of a model, on average.`,
      `Differences are relative to the value or to 1 % of the largest, whichever is larger; wanted: at most ${BOUND}.`,
      `Random inputs and weights, at batch ${BATCHES.join(', ')}.`,
      'onnx.checker.check_model(full_check=True), the reference implementation in Python.',
    ],
    failed: wrong.length > 0,
  };
}
