/** Makes tfjs-node or tfjs-node-gpu run where their own download of libtensorflow is out of reach. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '../../config/folder.ts';
import { probe } from './child/probe.ts';
import { runCommand } from './command.ts';
import { BackendError } from './error.ts';
import { installedFolder } from './find.ts';
import { type BackendPins, type NpmPin, PINS, type TensorFlowBackend, type WheelPin } from './pins.ts';
import { checkPrerequisites, type Machine } from './prerequisites.ts';

export interface InstallOptions {
  backend: TensorFlowBackend;
  /** Cache folder, from `cacheFolder`. */
  cache: string;
  machine: Machine;
  /** Environment of the programs that are run. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Called as each step begins. `step` counts from 1. */
  progress: (step: number, steps: number, what: string) => void;
  signal?: AbortSignal | undefined;
}

export interface Installed {
  folder: string;
  /** False when it was there before. */
  fresh: boolean;
  /** What it said when it was tried, such as "TensorFlow 2.13.1 on the CPU". */
  device: string;
}

const EXTRACT = fileURLToPath(new URL('./extract.py', import.meta.url));

/**
 * Installs one backend into the cache folder. The package's own install script fetches libtensorflow from a host
 * that many networks do not reach, and then fails the whole `npm install`. Here the same C library and its headers
 * come out of TensorFlow's wheel on the Python package index, the addon is compiled from the package's own
 * source, and no file of it is changed. Everything downloaded is pinned by hash. The work is done in a temporary
 * folder and renamed at the end: an interrupted install leaves nothing that looks like an installed one.
 *
 * @throws BackendError when this machine lacks something, a download's hash differs, or the result does not run.
 */
export async function installBackend(options: InstallOptions): Promise<Installed> {
  const { backend, cache, machine, environment, signal } = options;
  const folder = installedFolder(cache, backend);
  if (existsSync(folder)) return { folder, fresh: false, device: await tryOut(options, folder) };

  const pins = PINS[backend];
  const backends = dirname(folder);
  await makeFolder(backends);
  await checkPrerequisites({ machine, folder: backends, pins, environment, signal });
  const staging = await mkdtemp(join(backends, `.${backend}-`));
  const steps: [string, () => Promise<unknown>][] = [
    ...pins.npm.map((pin): [string, () => Promise<unknown>] => [
      `${pin.name} ${pin.version} from npm`,
      () => fetchNpm(pin, staging, options),
    ]),
    ...pins.wheels.map((pin): [string, () => Promise<unknown>] => [
      `${pin.name} ${pin.version} from the Python package index`,
      () => fetchWheel(pin, staging, options),
    ]),
    ['compiling the addon', () => compileAddon(staging, pins, options)],
    ['trying it out', () => tryOut(options, staging)],
  ];
  try {
    let device = '';
    for (const [index, [what, step]] of steps.entries()) {
      signal?.throwIfAborted();
      options.progress(index + 1, steps.length, what);
      const result = await step();
      if (typeof result === 'string') device = result;
    }
    await writeFile(join(staging, 'installed.json'), `${JSON.stringify(pins, null, 2)}\n`);
    await putInPlace(staging, folder);
    return { folder, fresh: true, device };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function packageFolder(root: string, name: string): string {
  return join(root, 'node_modules', ...name.split('/'));
}

async function fetchNpm(
  pin: NpmPin,
  staging: string,
  { environment, signal }: InstallOptions,
): Promise<void> {
  const downloads = await mkdtemp(join(staging, 'npm-'));
  const spec = `${pin.name}@${pin.version}`;
  await runCommand('npm', ['pack', '--ignore-scripts', '--pack-destination', downloads, spec], {
    cwd: downloads,
    environment,
    signal,
  });
  const archive = await onlyFile(downloads, '.tgz', spec);
  const got = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (got !== pin.integrity) {
    throw new BackendError(
      `npm sent another ${spec} than the pinned one: expected ${pin.integrity}, got ${got}.`,
    );
  }
  await extract([{ archive, take: 'npm', to: packageFolder(staging, pin.name) }], { environment, signal });
  await rm(downloads, { recursive: true });
}

async function fetchWheel(pin: WheelPin, staging: string, options: InstallOptions): Promise<void> {
  const { environment, signal, backend } = options;
  const downloads = await mkdtemp(join(staging, 'wheel-'));
  const requirements = join(downloads, 'requirements.txt');
  await writeFile(requirements, `${pin.name}==${pin.version} --hash=sha256:${pin.sha256}\n`);
  // The platform is named, not taken from this Python: only the libraries in the wheel matter.
  const platform = ['--platform', 'manylinux2014_x86_64', '--platform', 'manylinux1_x86_64'];
  const python = ['--implementation', 'cp', '--python-version', '3.11', '--only-binary=:all:', '--no-deps'];
  await runCommand(
    'python3',
    // biome-ignore format: one argument group a line
    ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-cache-dir',
      ...python, ...platform,
      '--require-hashes', '--dest', downloads, '--requirement', requirements],
    { environment, signal },
  );
  const archive = await onlyFile(downloads, '.whl', pin.name);
  const to = join(packageFolder(staging, `@tensorflow/${backend}`), 'deps');
  await extract([{ archive, take: pin.take, to }], { environment, signal });
  await rm(downloads, { recursive: true });
}

function extract(
  jobs: readonly { archive: string; take: string; to: string }[],
  options: Pick<InstallOptions, 'environment' | 'signal'>,
): Promise<string> {
  return runCommand('python3', [EXTRACT], { ...options, input: JSON.stringify(jobs) });
}

/** One g++ line in place of node-gyp, which would download Node's headers. */
async function compileAddon(staging: string, pins: BackendPins, options: InstallOptions): Promise<void> {
  const folder = packageFolder(staging, pins.npm[0]!.name);
  const to = join(folder, 'lib', 'napi-v8');
  await makeFolder(to);
  const sources = (await readdir(join(folder, 'binding'))).filter((name) => name.endsWith('.cc'));
  // As old-style run path (RPATH) the CUDA folders serve the libraries that those libraries load, too.
  const nvidia = join(folder, 'deps', 'nvidia');
  const cuda = existsSync(nvidia) ? (await readdir(nvidia)).map((name) => `nvidia/${name}/lib`) : [];
  const runPath = ['lib', ...cuda].map((path) => `$ORIGIN/../../deps/${path}`).join(':');
  await runCommand(
    'g++',
    // biome-ignore format: one argument group a line
    ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION',
      `-I${join(packageFolder(staging, 'node-api-headers'), 'include')}`, `-I${join(folder, 'deps', 'include')}`,
      ...sources.map((name) => join(folder, 'binding', name)),
      '-o', join(to, 'tfjs_binding.node'),
      `-L${join(folder, 'deps', 'lib')}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2',
      '-Wl,--disable-new-dtags', `-Wl,-rpath,${runPath}`],
    { environment: options.environment, signal: options.signal },
  );
}

/** Loads it in a process of its own and lets it compute and train a little. */
async function tryOut(options: InstallOptions, root: string): Promise<string> {
  const { backend, environment, signal } = options;
  const result = await probe(
    { backend, folder: packageFolder(root, `@tensorflow/${backend}`), seconds: 0 },
    { environment, signal },
  );
  if ('failed' in result) {
    throw new BackendError(`${backend} in ${root} does not run here: ${result.failed}`);
  }
  return `${result.library} on the ${result.device}`;
}

/** Another install of the same backend may have been faster; its result is as good. */
async function putInPlace(staging: string, folder: string): Promise<void> {
  try {
    await rename(staging, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

async function onlyFile(folder: string, ending: string, what: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
  if (names.length !== 1) {
    throw new BackendError(
      `Expected one ${ending} file for ${what}, got ${names.length === 0 ? 'none' : names.join(', ')}.`,
    );
  }
  return join(folder, names[0]!);
}
