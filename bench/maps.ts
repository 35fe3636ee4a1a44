/** Whether maps of the default recipe show where a defect is: by defects of our own, and by the masks of real flaws. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { decode } from '../agent/inspect/decode.ts';
import { type Inspector, loadInspector } from '../agent/inspect/inspect.ts';
import { judge } from '../agent/inspect/judge.ts';
import type { Scores } from '../agent/inspect/score.ts';
import { EXECUTION } from '../trainer/calibrate.ts';
import { LIMITS } from '../trainer/data/load.ts';
import { FAMILIES } from '../trainer/defects/families.ts';
import { peaksWithin, tryDefects } from '../trainer/defects/try.ts';
import type { Trial, Trials } from '../trainer/defects/types.ts';
import { auroc } from '../trainer/statistics/auroc.ts';
import type { Bench, BenchContext, Table } from './bench.ts';
import { DATA, fitDomain, percent, requireData } from './fit.ts';

const DOMAINS = [
  { name: 'fundus' },
  { name: 'fundus-cataract', groupBy: '_(\\d+)_' },
  { name: 'brain-mri' },
  { name: 'chest-xray', groupBy: '((?:NORMAL2-)?IM-\\d+|person\\d+)' },
  { name: 'malaria', groupBy: '(C\\d+)' },
  { name: 'brain-br35h' },
  { name: 'magnetic-tile' },
] as const;

/** Good test images that defects are planted on; all of them tell whether good images stay quiet. */
const IMAGES = 20;

/** Shares that are wanted. */
const GOAL = { located: 0.8, quiet: 0.95 } as const;

export const maps: Bench = {
  name: 'maps',
  title: 'maps of the default recipe: planted defects on seven kinds of real images, masks of real flaws',
  parts: DOMAINS.map(({ name }) => name),
  run,
};

interface Result {
  readonly name: string;
  readonly trials: Trials;
  readonly quiet: { readonly hits: number; readonly count: number };
  readonly masks: Masks | null;
}

interface Masks {
  readonly tiles: number;
  /** Over all pixels of all flawed tiles, each pixel with the value of its cell. */
  readonly auroc: number;
  readonly called: number;
  /** Of those called, with the largest value in the mask, one cell more. */
  readonly located: number;
}

async function run(context: BenchContext): Promise<Table[]> {
  const { only, cache, report } = context;
  const chosen = DOMAINS.filter(({ name }) => only.length === 0 || only.includes(name));
  requireData(chosen);
  const results: Result[] = [];
  for (const domain of chosen) {
    const out = path.join(cache, 'maps', domain.name);
    await fitDomain(domain, 'auto', out, context);
    const bundlePath = path.join(out, 'bundle.onnx');
    const inspector = await loadInspector({ bundlePath, limits: LIMITS, ...EXECUTION });
    try {
      report('planting defects\n');
      results.push({ name: domain.name, ...(await tryDomain(inspector, path.join(DATA, domain.name))) });
    } finally {
      await inspector.close();
    }
  }
  const masked = results.filter((one): one is Result & { readonly masks: Masks } => one.masks !== null);
  return [planted(results), families(results), ...(masked.length === 0 ? [] : [realFlaws(masked)])];
}

async function tryDomain(inspector: Inspector, folder: string): Promise<Omit<Result, 'name'>> {
  const { scorer, bundle } = inspector;
  const { manifest } = bundle;
  const good = path.join(folder, 'test_good');
  const files = (await readdir(good)).sort();
  const pictures = await Promise.all(
    files.map(async (file) => decode(await readFile(path.join(good, file)), manifest.preprocessing, LIMITS)),
  );
  let hits = 0;
  for (const { pixels } of pictures) {
    const { map } = await scorer.score(pixels, 1);
    if (map.every((value) => value <= manifest.calibration.mapAlarm)) hits += 1;
  }
  const step = Math.max(1, Math.floor(pictures.length / IMAGES));
  const some = pictures.filter((_, i) => i % step === 0).slice(0, IMAGES);
  const trials = await tryDefects({
    parts: [{ scorer, pictures: some }],
    ...{ manifest, signal: new AbortController().signal, onImage: () => {} },
  });
  const masks = path.join(folder, 'masks');
  return {
    trials,
    quiet: { hits, count: pictures.length },
    masks: existsSync(masks) ? await tryMasks(inspector, folder) : null,
  };
}

async function tryMasks({ scorer, bundle }: Inspector, folder: string): Promise<Masks> {
  const { preprocessing, threshold, calibration } = bundle.manifest;
  const inside: number[] = [];
  const outside: number[] = [];
  let [tiles, called, located] = [0, 0, 0];
  for (const file of (await readdir(path.join(folder, 'masks'))).sort()) {
    const name = (await readdir(path.join(folder, 'test_anomalous'))).find(
      (one) => path.parse(one).name === path.parse(file).name,
    );
    if (name === undefined) continue;
    const bytes = await readFile(path.join(folder, 'test_anomalous', name));
    const scores = await scorer.score((await decode(bytes, preprocessing, LIMITS)).pixels, 1);
    const grey = await sharp(path.join(folder, 'masks', file))
      .resize(preprocessing.width, preprocessing.height, { fit: 'fill', kernel: 'nearest' })
      .greyscale()
      .raw()
      .toBuffer();
    const mask = Uint8Array.from(grey, (value) => (value > 127 ? 1 : 0));
    tiles += 1;
    for (const [i, value] of mask.entries()) {
      if (i % 4 !== 0) continue; // a quarter of the pixels tells it as well
      (value === 1 ? inside : outside).push(valueAt(scores, preprocessing, i));
    }
    if (judge(scores.score[0]!, threshold, calibration.scores).verdict !== 'review') continue;
    called += 1;
    if (peaksWithin(mask, preprocessing, scores, 0)) located += 1;
  }
  return { tiles, called, located, auroc: auroc(outside, inside) };
}

function valueAt(
  { map, mapHeight, mapWidth }: Scores,
  { width, height }: { readonly width: number; readonly height: number },
  pixel: number,
): number {
  const column = Math.floor(((pixel % width) * mapWidth) / width);
  return map[Math.floor((Math.floor(pixel / width) * mapHeight) / height) * mapWidth + column]!;
}

const sumOf = (trials: readonly Trial[], key: 'planted' | 'found' | 'located' | 'marked' | 'markedWithin') =>
  trials.reduce((sum, trial) => sum + trial[key], 0);

const ratio = (hits: number, count: number): string =>
  count === 0 ? 'none' : `${percent(hits / count)} (${hits} of ${count})`;

function planted(results: readonly Result[]): Table {
  const missed = ({ trials: { trials }, quiet }: Result) =>
    sumOf(trials, 'located') < GOAL.located * sumOf(trials, 'found') || quiet.hits < GOAL.quiet * quiet.count;
  return {
    title: 'Maps: defects planted on good test images',
    columns: [
      'domain',
      'images',
      'called',
      'largest value inside',
      'map alarms',
      'largest value inside',
      'good stay quiet',
    ],
    rows: results.map(({ name, trials: { trials, clear }, quiet }) => [
      name,
      clear,
      ratio(sumOf(trials, 'found'), sumOf(trials, 'planted')),
      ratio(sumOf(trials, 'located'), sumOf(trials, 'found')),
      ratio(sumOf(trials, 'marked'), sumOf(trials, 'planted')),
      ratio(sumOf(trials, 'markedWithin'), sumOf(trials, 'marked')),
      ratio(quiet.hits, quiet.count),
    ]),
    notes: [
      `Six families, two sizes, three strengths on those of ${IMAGES} good test images that are neither called nor alarmed at as they are. Called: by the score, at 5 % false alarms; map alarms: a cell above the alarm colour, called or not.`,
      `Inside: of those called, or alarmed, the cell with the largest value lies in the defect or one cell beside it; wanted ${percent(GOAL.located)} of those called. Quiet: no cell above the alarm, of all good test images; wanted ${percent(GOAL.quiet)}.`,
    ],
    failed: results.some(missed),
  };
}

function families(results: readonly Result[]): Table {
  return {
    title: 'Maps: what of planted defects is called, and what the map alarms at',
    columns: ['domain', ...FAMILIES.map(({ words }) => words)],
    rows: results.map(({ name, trials: { trials } }) => [
      name,
      ...FAMILIES.map((family) => {
        const some = trials.filter((trial) => trial.family === family.name);
        const of = (key: 'found' | 'marked') => Math.round((100 * sumOf(some, key)) / sumOf(some, 'planted'));
        return `${of('found')} / ${of('marked')} %`;
      }),
    ]),
    notes: ['Called by the score / alarmed at by the map, in percent, over both sizes and all strengths.'],
  };
}

function realFlaws(results: readonly (Result & { readonly masks: Masks })[]): Table {
  return {
    title: 'Maps: real flaws with masks',
    columns: ['domain', 'flawed tiles', 'pixel AUROC', 'called', 'largest value in the mask'],
    rows: results.map(({ name, masks: { tiles, auroc: area, called, located } }) => [
      name,
      tiles,
      area.toFixed(3),
      ratio(called, tiles),
      ratio(located, called),
    ]),
    notes: [
      'Of those called; one cell beside the mask counts. Pixel AUROC: over the pixels of flawed tiles.',
    ],
  };
}
