/** Where tfjs-node and tfjs-node-gpu are, if they are here at all. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PINS, type TensorFlowBackend, TFJS_VERSION } from './pins.ts';

/** A tfjs-node package with its compiled addon, ready to be loaded. */
export interface FoundPackage {
  backend: TensorFlowBackend;
  /** Folder of the npm package. */
  folder: string;
  /** The compiled addon, `tfjs_binding.node`. */
  addon: string;
  where: 'cache' | 'node_modules';
}

/** Looked for and not usable, with the reason as the second half of a sentence ("is not installed"). */
export interface MissingPackage {
  backend: TensorFlowBackend;
  missing: string;
}

/**
 * The folder that `trainer backend install` fills and everything else reads: `$XDG_CACHE_HOME/plumbline`,
 * else `~/.cache/plumbline` (XDG Base Directory Specification 0.8: a relative path there is ignored).
 */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>>, home: string): string {
  const base = environment.XDG_CACHE_HOME;
  return join(base?.startsWith('/') ? base : join(home, '.cache'), 'plumbline');
}

/** The folder of one installed backend. It appears at once and complete, by a rename. */
export function installedFolder(cache: string, backend: TensorFlowBackend): string {
  return join(cache, 'backends', `${backend}-${TFJS_VERSION}-tensorflow-${PINS[backend].tensorflow}`);
}

/**
 * Finds a backend in the cache folder, else as an ordinary dependency that Node resolves from this file.
 *
 * @param cache The cache folder, from {@link cacheFolder}.
 */
export function findPackage(backend: TensorFlowBackend, cache: string): FoundPackage | MissingPackage {
  const cached = join(installedFolder(cache, backend), 'node_modules', '@tensorflow', backend);
  if (existsSync(join(cached, 'package.json'))) return inspectPackage(backend, cached, 'cache');
  const resolved = resolvePackage(`@tensorflow/${backend}`);
  if (resolved !== undefined) return inspectPackage(backend, resolved, 'node_modules');
  return { backend, missing: 'is not installed' };
}

/** Checks that a package folder holds the version we need and an addon compiled for this machine. */
export function inspectPackage(
  backend: TensorFlowBackend,
  folder: string,
  where: FoundPackage['where'],
): FoundPackage | MissingPackage {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  if (version !== TFJS_VERSION) {
    return { backend, missing: `in ${folder} is version ${version}, but ${TFJS_VERSION} is needed` };
  }
  const addon = newestAddon(join(folder, 'lib'));
  if (addon === undefined)
    return { backend, missing: `in ${folder} has no compiled addon (its own install step did not run)` };
  return { backend, folder, addon, where };
}

/** The addon of the newest Node-API version: packages keep them as lib/napi-v3, lib/napi-v8 and so on. */
function newestAddon(lib: string): string | undefined {
  if (!existsSync(lib)) return undefined;
  return readdirSync(lib)
    .filter((name) => /^napi-v\d+$/.test(name))
    .sort((a, b) => Number(b.slice(6)) - Number(a.slice(6)))
    .map((name) => join(lib, name, 'tfjs_binding.node'))
    .find((path) => existsSync(path));
}

function resolvePackage(name: string): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
