/** What a machine must have before a TensorFlow backend can be installed on it. */
import { statfs } from 'node:fs/promises';
import { runCommand } from './command.ts';
import { BackendError } from './error.ts';
import type { BackendPins } from './pins.ts';

/** What Node says of the machine: `process.platform` and `process.arch`. */
export interface Machine {
  platform: string;
  arch: string;
}

export interface PrerequisiteOptions {
  machine: Machine;
  /** An existing folder on the disk that the backend is installed on. */
  folder: string;
  pins: Pick<BackendPins, 'download' | 'disk'>;
  environment: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal | undefined;
}

const TOOLS = [
  { program: 'npm', args: ['--version'], remedy: 'It comes with Node.js; make sure that it is on the PATH.' },
  {
    program: 'python3',
    args: ['--version'],
    remedy: 'Install it, on Debian with `apt install python3 python3-pip`.',
  },
  {
    program: 'python3',
    args: ['-m', 'pip', '--version'],
    remedy: 'Install pip, on Debian with `apt install python3-pip`.',
  },
  {
    program: 'g++',
    args: ['--version'],
    remedy: 'Install a C++ compiler, on Debian with `apt install g++`.',
  },
];

/** @throws BackendError that names everything missing at once, each with what to do. */
export async function checkPrerequisites(options: PrerequisiteOptions): Promise<void> {
  const { machine, folder, pins, environment, signal } = options;
  if (machine.platform !== 'linux' || machine.arch !== 'x64') {
    throw new BackendError(
      `TensorFlow's libraries are fetched for Linux on x86-64; this is ${machine.platform} on ${machine.arch}. ` +
        'Use --backend onnx, which runs everywhere.',
    );
  }
  const missing: string[] = [];
  for (const { program, args, remedy } of TOOLS) {
    try {
      await runCommand(program, args, { environment, signal });
    } catch (error) {
      signal?.throwIfAborted();
      missing.push(
        `\`${[program, ...args].join(' ')}\` does not run. ${remedy} (${(error as Error).message})`,
      );
    }
  }
  const needed = pins.disk + pins.download;
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < needed)
    missing.push(`${folder} has ${free} MB free, but ${needed} MB are needed while installing.`);
  if (missing.length > 0) throw new BackendError(missing.join('\n'));
}
