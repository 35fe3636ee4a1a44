/** Python virtual environments, each made once in the benchmarks' cache folder. */
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../trainer/backend/command.ts';
import { type BenchContext, MissingPrerequisite } from '../bench.ts';

/** Apart from each other: a benchmark downloads nothing that only another one needs. */
const ENVIRONMENTS = {
  torch: {
    folder: 'python',
    requirements: 'requirements.txt',
    size: 'PyTorch (about 3 GB to download, 5.5 GB on disk)',
  },
  keras: {
    folder: 'python-keras',
    requirements: 'requirements-keras.txt',
    size: 'TensorFlow and tf2onnx (about 0.7 GB to download, 2.3 GB on disk)',
  },
  onnx: {
    folder: 'python-onnx',
    requirements: 'requirements-onnx.txt',
    size: 'the ONNX checker (about 0.1 GB on disk)',
  },
  anomalib: {
    folder: 'python-anomalib',
    requirements: 'requirements-anomalib.txt',
    size: 'anomalib and PyTorch (about 3 GB to download, 6 GB on disk)',
  },
  agent: {
    folder: 'python-agent',
    requirements: 'requirements-agent.txt',
    size: 'OpenCV, Pillow and onnxruntime (356 MB on disk)',
  },
} as const;

/** Path of a script in this folder. */
export function pythonScript(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * An environment's interpreter. Made anew when its requirements have changed; see README.md here for sizes.
 *
 * @throws MissingPrerequisite when there is no python3 of 3.11 or later with venv, or pip fails.
 */
export async function pythonEnvironment(
  { cache, report }: BenchContext,
  name: keyof typeof ENVIRONMENTS = 'torch',
): Promise<string> {
  const { requirements, size, ...environment } = ENVIRONMENTS[name];
  const folder = join(cache, environment.folder);
  const interpreter = join(folder, 'bin', 'python');
  const stamp = join(folder, 'requirements.txt');
  const wanted = await readFile(pythonScript(requirements), 'utf8');
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === wanted) return interpreter;
  report(`making a Python environment with ${size}\n`);
  try {
    await runCommand('python3', ['-c', 'import sys; assert sys.version_info >= (3, 11), sys.version']);
    await rm(folder, { recursive: true, force: true });
    await runCommand('python3', ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:'];
    await runCommand(interpreter, [...pip, '--requirement', pythonScript(requirements)]);
  } catch (cause) {
    throw new MissingPrerequisite(
      `It needs Python 3.11 or later with venv and pip: ${(cause as Error).message}`,
      { cause },
    );
  }
  // Written last and renamed: an interrupted install has no stamp and is made anew.
  await writeFile(`${stamp}.new`, wanted);
  await rename(`${stamp}.new`, stamp);
  return interpreter;
}
