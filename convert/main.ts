import { stat } from 'node:fs/promises';
import process from 'node:process';
import { engine, setBackend } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { findModel, modelFiles, writeAtomically } from './files.ts';
import { traceableModel } from './model_conversion.ts';
import { trace } from './trace.ts';
import { type Comparison, compare } from './verify.ts';

interface Settings {
  out: string;
  check?: boolean;
  tolerance: number;
  json?: boolean;
}

interface Report {
  model: string;
  out: string;
  bytes: number;
  inputs: Array<{ name: string; shape: Array<number | null> }>;
  outputs: string[];
  check?: Comparison & { tolerance: number; passed: boolean };
}

// `convert ... --json | head -1`: who reads no more wants no more.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });

const EXAMPLES = `
Examples:
  $ convert model/model.json --out model.onnx
      a layers model as TensorFlow.js saves it (model.save), weights beside it
  $ convert run/ --out model.onnx --check
      the model of a trainer run; then compare TensorFlow.js and onnxruntime on random inputs
  $ convert model/ --out model.onnx --check --json
      the same, one line of JSON for a program to read

The file is ONNX opset 18 with an open batch size N and operators of the standard only. Images keep
TensorFlow.js' order, [N, height, width, channels].

Exit codes: 0 done (and the check passed), 1 could not convert or the check failed, 2 wrong usage.`;

function command(): Command {
  return new Command('convert')
    .description('Turns a TensorFlow.js layers model into an ONNX file.')
    .argument('<model>', 'model.json, or a folder that holds one (also RUN/model/model.json)')
    .requiredOption('-o, --out <file>', 'the ONNX file to write')
    .option('--check', 'compare TensorFlow.js with onnxruntime at batch 1, 3 and 8; fail when they differ')
    .option('--tolerance <number>', 'largest relative difference that --check accepts', positive, 1e-4)
    .option('--json', 'print one line of JSON instead of text')
    .addHelpText('after', EXAMPLES)
    .exitOverride();
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}

async function convert(path: string, settings: Settings): Promise<Report> {
  const source = await findModel(path);
  if ((await stat(settings.out).catch(() => undefined))?.isDirectory())
    throw new Error(
      `--out ${settings.out} is a folder; name the file to write, for example ${settings.out}/model.onnx`,
    );
  await quietCpuBackend();
  const model = await load(source);
  const { fn, inputs, outputNames } = traceableModel(model);
  const bytes = trace(fn, inputs);
  const report: Report = {
    model: source,
    out: settings.out,
    bytes: bytes.length,
    inputs: inputs.map(({ name, shape }) => ({ name, shape: [...shape] })),
    outputs: outputNames,
  };
  if (settings.check) {
    const { tolerance } = settings;
    const found = await compare(fn, bytes, inputs);
    report.check = { ...found, tolerance, passed: found.relative <= tolerance };
    if (!report.check.passed) return report; // a file that failed its check is not written
  }
  await writeAtomically(settings.out, bytes);
  return report;
}

async function load(source: string): Promise<LayersModel> {
  try {
    return await loadLayersModel(modelFiles(source));
  } catch (cause) {
    throw new Error(`cannot load ${source}: ${messageOf(cause)}`, { cause });
  }
}

/** The reference of --check. Outside production mode TensorFlow.js advertises its node backend on each start. */
async function quietCpuBackend(): Promise<void> {
  engine().ENV.set('PROD', true);
  await setBackend('cpu');
}

function describe({ model, out, bytes, inputs, outputs, check }: Report): string {
  const shapes = inputs.map((i) => `${i.name} [${i.shape.map((d) => d ?? 'N').join(', ')}]`);
  const lines = [`${model} -> ${out}`, `  inputs   ${shapes.join(', ')}`, `  outputs  ${outputs.join(', ')}`];
  lines.push(`  size     ${(bytes / 1e6).toFixed(2)} MB`);
  if (check) {
    const { absolute, relative, output, batch, tolerance, passed } = check;
    const figures = `largest difference ${absolute.toExponential(1)}, relative ${relative.toExponential(1)}`;
    lines.push(`  check    ${passed ? 'passed' : 'FAILED'}: ${figures} (${output}, batch ${batch})`);
    if (!passed) lines.push(`           allowed is ${tolerance}; nothing was written`);
  }
  return lines.join('\n');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function main(argv: readonly string[]): Promise<number> {
  const program = command();
  try {
    program.parse(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  const settings = program.opts<Settings>();
  try {
    const report = await convert(program.args[0]!, settings);
    process.stdout.write(`${settings.json ? JSON.stringify(report) : describe(report)}\n`);
    return report.check?.passed === false ? 1 : 0;
  } catch (error) {
    if (settings.json) process.stdout.write(`${JSON.stringify({ error: messageOf(error) })}\n`);
    process.stderr.write(`convert: ${messageOf(error)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv);
