/** `agent score`: the device's own scoring on files at hand, without ledger or broker. */
import { lstat, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '../config/errors.ts';
import type { Evidence } from '../config/evidence.ts';
import { makeFolder } from '../config/folder.ts';
import type { Reason, VerdictWord } from '../config/verdict.ts';
import { drawBeside } from './inspect/draw.ts';
import { statisticsOf } from './inspect/evidence.ts';
import { isOneOfSeveral, withinFrames } from './inspect/frames.ts';
import type { Inspected, Inspector } from './inspect/inspect.ts';
import { judge } from './inspect/judge.ts';

export interface ScoreLine {
  /** As given, or found within a folder that was given. */
  readonly path: string;
  /** Which frame of a DICOM file of several, from 1; absent otherwise. */
  readonly frame?: number;
  readonly ref: string;
  /** null when unscorable; larger is more anomalous. */
  readonly score: number | null;
  readonly threshold: number;
  readonly p: number | null;
  readonly verdict: VerdictWord;
  readonly reason: Reason | null;
  readonly message: string | null;
  /** What is rare about the image, strongest first; absent when unscorable or the bundle measures nothing else. */
  readonly evidence?: readonly Evidence[];
  /** Simple quantities by name, as measured; absent likewise. */
  readonly statistics?: Readonly<Record<string, number>>;
  /** PNG with image and map, when maps were asked for. */
  readonly map?: string;
  /** Whether a cell of the map lies above the alarm colour; beside `map`. */
  readonly mapAlarm?: boolean;
}

/**
 * Scores `paths` one after the other; folders are read recursively, in order of name, whatever they are called. A file
 * of several captures (`inspect/frames.ts`), at most `mostFrames`, has a line for each.
 * @throws ConfigError when a path is not there, before anything is scored, or maps cannot be written.
 */
export async function* scorePaths(
  inspector: Inspector,
  paths: readonly string[],
  options: {
    readonly mapFolder?: string;
    readonly mostFrames: number;
    readonly refOf: (name: string) => string;
  },
): AsyncGenerator<ScoreLine> {
  const { manifest } = inspector.bundle;
  await requireThere(paths);
  if (options.mapFolder !== undefined) await makeMapFolder(options.mapFolder);
  let count = 0;
  for await (const { file, name, frame, inspected } of captures(inspector, paths, options.mostFrames)) {
    const { inspection, scores, pixels } = inspected;
    const common = {
      path: file,
      ...(isOneOfSeveral(frame, inspection) && { frame }),
      ref: options.refOf(name),
      threshold: manifest.threshold.upper,
    };
    if (inspection.outcome === 'unscorable') {
      const { reason, message } = inspection;
      yield { ...common, score: null, p: null, verdict: 'unscorable', reason, message };
      continue;
    }
    const { score } = inspection;
    const statistics = scores && statisticsOf(scores, manifest);
    const line = {
      ...common,
      score,
      ...judge(score, manifest.threshold, manifest.calibration.scores),
      message: null,
      ...(inspection.evidence !== undefined && { evidence: inspection.evidence }),
      ...(statistics !== undefined && { statistics }),
    };
    if (options.mapFolder === undefined || scores === undefined || pixels === undefined) {
      yield line;
      continue;
    }
    count += 1;
    const map = path.join(
      options.mapFolder,
      `${String(count).padStart(4, '0')}-${path.parse(file).name}.png`,
    );
    const size = { width: scores.mapWidth, height: scores.mapHeight };
    await writeFile(map, await drawBeside(pixels, scores.map, size, manifest));
    yield { ...line, map, mapAlarm: scores.map.some((value) => value > manifest.calibration.mapAlarm) };
  }
}

/** The captures of all files, inspected one after the other. */
async function* captures(
  inspector: Inspector,
  paths: readonly string[],
  mostFrames: number,
): AsyncGenerator<{ file: string; name: string; frame: number; inspected: Inspected }> {
  for await (const { file, name } of expand(paths))
    for (let frame = 1, frames = 1; frame <= frames; frame++) {
      const inspected = await inspector.inspectWithMap(file, frame);
      const inspection = withinFrames(inspected.inspection, mostFrames);
      frames = inspection.frames ?? 1;
      yield { file, name, frame, inspected: { ...inspected, inspection } };
    }
}

/** A name that was never there is a slip of whoever typed it; a link to nothing, and what vanishes later, get a verdict. */
async function requireThere(paths: readonly string[]): Promise<void> {
  for (const one of paths) {
    try {
      await lstat(one);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') continue; // says why when it is read
      throw new ConfigError(`${one}: no such file or folder. Check the path; nothing was scored.`, { cause });
    }
  }
}

async function makeMapFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError(`The folder ${folder} cannot be made (${code}). Choose another --map.`, { cause });
  }
}

/** Files named or found, with their names within the folder given; what does not exist is passed on for its verdict. */
async function* expand(
  paths: readonly string[],
  prefix = '',
): AsyncGenerator<{ readonly file: string; readonly name: string }> {
  for (const one of paths) {
    const isFolder = await stat(one).then(
      (s) => s.isDirectory(),
      () => false,
    );
    if (!isFolder) {
      yield { file: one, name: prefix + path.basename(one) };
      continue;
    }
    const entries = await readdir(one, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const child = path.join(one, entry.name);
      if (entry.isDirectory()) yield* expand([child], `${prefix}${entry.name}/`);
      else if (!entry.name.startsWith('.')) yield { file: child, name: prefix + entry.name };
    }
  }
}
