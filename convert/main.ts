import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import process from 'node:process';
import { engine, setBackend } from '@tensorflow/tfjs-core';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { readInputs } from './check_inputs.ts';
import { type ConvertOptions, convertModel } from './convert.ts';
import { requireOther, writeAtomically } from './files.ts';
import { OLDEST_OPSET } from './lower_opset.ts';
import { NEWEST_OPSET } from './opset.ts';
import { filesOf } from './source.ts';
import type { CompareOptions, Comparison } from './verify.ts';

interface Settings {
  out: string;
  check?: boolean;
  checkInputs?: string;
  tolerance?: number;
  opset?: number;
  batch?: number;
  shape?: Record<string, Array<number | null>>;
  outputs?: string[];
  names?: Record<string, string>;
  fold?: boolean;
  json?: boolean;
}

interface Report {
  model: string;
  out: string;
  bytes: number;
  inputs: Array<{ name: string; shape: Array<number | null> }>;
  outputs: string[];
  check?: Comparison & { allowed: number; passed: boolean };
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
  $ convert downloaded.zip --out model.onnx --check
      a graph model in an archive; then compare TensorFlow.js and onnxruntime on random inputs
  $ convert model/ --out model.onnx --check-inputs inputs.json
      compare on inputs of your own: {"image": [[[[0.1, 0.2, ...]]]]}, by the names in the ONNX file
  $ convert detector/ --out detector.onnx --shape image=N,320,320,3 --outputs raw_boxes,scores
      sizes that the model leaves open, and a graph cut off before what no file can hold
  $ convert run/ --out model.onnx --names input_1=image,dense_3=score --opset 17 --json
      other names, an older operator set, one line of JSON for a program to read

The file is ONNX with operators of the standard only, opset 18 and an open batch size N unless told otherwise. Images
keep TensorFlow.js' order, [N, height, width, channels]. The model is as in inference.

Exit codes: 0 done (and the check passed), 1 could not convert or the check failed, 2 wrong usage.`;

function command(): Command {
  return new Command('convert')
    .description('Turns a TensorFlow.js model (layers model or graph model) into an ONNX file.')
    .argument('<model>', 'model.json, or a folder or zip archive that holds one (also RUN/model/model.json)')
    .requiredOption('-o, --out <file>', 'the ONNX file to write')
    .option('--check', 'compare TensorFlow.js with onnxruntime at batch 1, 3 and 8; fail when they differ')
    .option(
      '--check-inputs <file>',
      'compare on these inputs instead of random ones: JSON, nested lists by name',
    )
    .option(
      '--tolerance <number>',
      'largest relative difference that --check accepts (default: 1e-4, or more where onnxruntime differs as much from itself)',
      positive,
    )
    .option('--opset <number>', `operator set of the file, ${OLDEST_OPSET} to ${NEWEST_OPSET}`, opset)
    .option('--batch <number>', 'fix the batch size', whole)
    .option('--shape <name=N,d,d>', 'sizes of an input; N is the open batch. May be given again', shape)
    .option('--outputs <names>', 'of a graph model: other nodes as its outputs, comma between', list)
    .option('--names <old=new,...>', 'other names for inputs and outputs', names)
    .option('--fold', 'compute at once what depends on constants alone')
    .option('--json', 'print one line of JSON instead of text')
    .addHelpText('after', EXAMPLES)
    .exitOverride();
}

function list(text: string): string[] {
  return text.split(',');
}

function names(text: string): Record<string, string> {
  const pairs = list(text).map((pair) => pair.split('='));
  if (pairs.every((pair) => pair.length === 2 && pair.every((name) => name !== '')))
    return Object.fromEntries(pairs);
  throw new InvalidArgumentError('It must be pairs old=new with commas between.');
}

function shape(text: string, before: Record<string, Array<number | null>> = {}) {
  const [, name, sizes] = /^([^=]+)=((?:N|\d+)(?:,(?:N|\d+))*)$/.exec(text) ?? [];
  if (!name || !sizes || list(sizes).some((size) => Number(size) === 0))
    throw new InvalidArgumentError('It must look like image=N,224,224,3, with sizes above 0.');
  return { ...before, [name]: list(sizes).map((size) => (size === 'N' ? null : Number(size))) };
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function opset(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= OLDEST_OPSET && value <= NEWEST_OPSET) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${OLDEST_OPSET} to ${NEWEST_OPSET}.`);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}

async function convert(path: string, settings: Settings): Promise<Report> {
  const { out, tolerance, checkInputs = [] } = settings;
  if ((await stat(out).catch(() => undefined))?.isDirectory())
    throw new Error(`--out ${out} is a folder; name the file to write, for example ${out}/model.onnx`);
  if (!(await stat(dirname(out)).catch(() => undefined))?.isDirectory())
    throw new Error(`--out ${out}: there is no folder ${dirname(out)}; make it, or name another`);
  await requireOther(out, [...(await filesOf(path)), ...[checkInputs].flat()]);
  await quietCpuBackend();
  const { model, bytes, inputs, outputs, check } = await convertModel(path, await optionsOf(settings));
  const report: Report = {
    model,
    out,
    bytes: bytes.length,
    inputs: inputs.map(({ name, shape }) => ({ name, shape: [...shape] })),
    outputs: [...outputs],
    ...(check && { check: judged(check, tolerance) }),
  };
  if (report.check?.passed === false) return report; // a file that failed its check is not written
  await writeAtomically(out, bytes);
  return report;
}

/** What --check accepts when no --tolerance is given. */
const TOLERANCE = 1e-4;

/** A model that multiplies its own rounding to more than this cannot be checked on such inputs. */
const LARGEST_ROUNDING = 1e-2;

/**
 * Deep networks multiply rounding: onnxruntime itself gives MobileNet's features with and without its optimizations up
 * to 3e-4 apart. So without a tolerance of the user's, twice what onnxruntime differs from itself is accepted.
 */
function judged(check: Comparison, tolerance: number | undefined): NonNullable<Report['check']> {
  const rounding = Math.min(2 * (check.rounding ?? 0), LARGEST_ROUNDING);
  const allowed = tolerance ?? Math.max(TOLERANCE, rounding);
  return { ...check, allowed, passed: check.relative <= allowed };
}

async function optionsOf(settings: Settings): Promise<ConvertOptions> {
  const { opset, batch, shape, outputs, names, fold, check, checkInputs } = settings;
  const comparison: CompareOptions | undefined =
    checkInputs !== undefined
      ? { given: await readInputs(checkInputs), tolerance: TOLERANCE }
      : check
        ? { tolerance: TOLERANCE }
        : undefined;
  return {
    ...(opset && { opset }),
    ...(batch && { batch }),
    ...(shape && { shapes: shape }),
    ...(outputs && { outputs }),
    ...(names && { names }),
    ...(fold && { fold }),
    ...(comparison && { check: comparison }),
  };
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
    const { absolute, relative, rounding, withoutZeros, output, batch, allowed, passed } = check;
    const figures = `largest difference ${absolute.toExponential(1)}, relative ${relative.toExponential(1)}`;
    lines.push(`  check    ${passed ? 'passed' : 'FAILED'}: ${figures} (${output}, batch ${batch})`);
    if (rounding !== undefined)
      lines.push(
        `           onnxruntime differs from itself, with and without optimizations, by ${rounding.toExponential(1)}`,
      );
    if (!passed && withoutZeros !== undefined && withoutZeros <= allowed)
      lines.push(
        `           with random integers from 1 to 9 it is ${withoutZeros.toExponential(1)}: what the model does with a 0 differs, ` +
          'as a division by it does. Give inputs that it is made for, with --check-inputs FILE',
      );
    if (!passed) lines.push(`           allowed is ${allowed}; nothing was written`);
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
