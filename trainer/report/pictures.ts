/** The pictures of the report: originals beside reconstructions and maps, on one colour scale. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { drawMap } from '../../agent/inspect/draw.ts';
import type { Inspector } from '../../agent/inspect/inspect.ts';
import { judge } from '../../agent/inspect/judge.ts';
import type { Scores } from '../../agent/inspect/score.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { Evidence } from '../../config/evidence.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import { type ChosenImage, choosePictures } from './picture-choice.ts';

export interface Picture {
  readonly name: string;
  readonly score: number;
  readonly p: number;
  readonly verdict: 'pass' | 'review';
  /** Data URIs. */
  readonly original: string;
  /** null: the model redraws nothing. */
  readonly reconstruction: string | null;
  readonly map: string;
  /** The page enlarges it without smoothing: every pixel that the model saw is a square. */
  readonly small: boolean;
  /** What is rare about it, in sentences, strongest first; none where the bundle measures nothing beside the score. */
  readonly evidence: readonly string[];
}

/** Images with what a graph gave of them. */
export interface ScoredGroup {
  readonly title: string;
  readonly note: string;
  readonly images: readonly Scored[];
}

interface Scored extends Pick<Picture, 'name' | 'score' | 'p' | 'verdict'> {
  readonly pixels: Uint8Array;
  readonly scores: Pick<Scores, 'map' | 'mapHeight' | 'mapWidth'> & Partial<Pick<Scores, 'reconstruction'>>;
  readonly evidence: readonly Evidence[];
}

export interface PictureGroup {
  readonly title: string;
  /** What the group is for, under its title. */
  readonly note?: string;
  readonly pictures: readonly Picture[];
}

/** Bytes of all pictures together, as text in the page: the page stays under 3 MB. */
const BUDGET = 2_200_000;

/** Sentences of evidence under a picture: the strongest say most. */
const MOST_EVIDENCE = 2;

/** Images of at most this many pixels a side are embedded as they are. */
const SMALL = 64;

/** Longer side in pixels and quality of JPEG, best first: the first that fits is taken. */
const QUALITIES = [
  { side: 256, quality: 82 },
  { side: 224, quality: 74 },
  { side: 192, quality: 66 },
  { side: 160, quality: 56 },
  { side: 128, quality: 44 },
  { side: 96, quality: 34 },
] as const;

interface Raw {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/**
 * Scores chosen images once more, now with map and reconstruction: calibration images, the worst ten of each label, and
 * some of each kind of anomaly. `samples` reads the content of an image by its name; those of the evaluation that are
 * files are read from their path. An image that is gone, or changed since it was scored, is left out. `scored`: further
 * groups, drawn as they were scored.
 */
export async function takePictures(
  inspector: Inspector,
  metrics: EvaluationMetrics,
  samples: ReadonlyMap<string, () => Promise<Uint8Array>>,
  scored: readonly ScoredGroup[] = [],
): Promise<PictureGroup[]> {
  const choices = choosePictures(metrics, (name) => samples.has(name));
  const count = [...choices, ...scored].reduce((sum, { images }) => sum + images.length, 0);
  const budget = BUDGET / Math.max(1, 3 * count);
  const groups: PictureGroup[] = [];
  for (const { images, ...group } of choices) {
    const pictures: Picture[] = [];
    for (const image of images) {
      const bytes = await read(image, samples);
      const picture = bytes === null ? null : await takePicture(inspector, image, bytes, budget);
      if (picture !== null) pictures.push(picture);
    }
    if (pictures.length > 0) groups.push({ ...group, pictures });
  }
  const { manifest } = inspector.bundle;
  for (const { images, ...group } of scored) {
    const pictures: Picture[] = [];
    for (const image of images) pictures.push(await draw(image, manifest, budget));
    if (pictures.length > 0) groups.push({ ...group, pictures });
  }
  return groups;
}

async function read(
  { name, path }: ChosenImage,
  samples: ReadonlyMap<string, () => Promise<Uint8Array>>,
): Promise<Uint8Array | null> {
  try {
    return path === null ? ((await samples.get(name)?.()) ?? null) : await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null; // gone since it was scored
  }
}

async function takePicture(
  inspector: Inspector,
  { name, score: before }: ChosenImage,
  bytes: Uint8Array,
  budget: number,
): Promise<Picture | null> {
  const { manifest } = inspector.bundle;
  const { inspection, scores, pixels } = await inspector.inspectWithMap(bytes);
  if (inspection.outcome === 'unscorable' || !scores || !pixels) return null;
  const { score, evidence = [] } = inspection;
  if (before !== null && Math.abs(score - before) > 1e-4 * Math.abs(before)) return null; // another image by now
  const judged = judge(score, manifest.threshold, manifest.calibration.scores);
  return draw({ name, score, evidence, pixels, scores, ...judged }, manifest, budget);
}

async function draw(
  { name, score, p, verdict, evidence, pixels, scores }: Scored,
  manifest: Manifest,
  budget: number,
): Promise<Picture> {
  const spec = manifest.preprocessing;
  const frame = (all: Uint8Array): Raw => ({
    pixels: all.subarray(0, spec.width * spec.height * spec.channels), // the first of several frames
    width: spec.width,
    height: spec.height,
    channels: spec.channels,
  });
  const small = Math.max(spec.width, spec.height) <= SMALL;
  const embed = small ? asIs : (raw: Raw) => withinBudget(raw, budget);
  const heat = await drawMap(
    scores.map,
    { width: scores.mapWidth, height: scores.mapHeight },
    manifest.calibration.mapAlarm,
    small ? spec : sizeOf(spec, QUALITIES[0].side),
  );
  return {
    ...{ name, score, p, verdict, small },
    evidence: evidence.slice(0, MOST_EVIDENCE).map(({ sentence }) => sentence),
    original: await embed(frame(pixels)),
    reconstruction: scores.reconstruction ? await embed(frame(scores.reconstruction)) : null,
    map: await (small ? dataUri('png', heat) : withinBudget(await pixelsOf(heat), budget)),
  };
}

async function pixelsOf(png: Buffer): Promise<Raw> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height, channels: 3 };
}

async function asIs({ pixels, ...raw }: Raw): Promise<string> {
  return dataUri('png', await sharp(pixels, { raw }).png({ compressionLevel: 9 }).toBuffer());
}

/** As a JPEG whose data URI has at most `budget` characters, or else of the lowest quality. */
async function withinBudget({ pixels, ...raw }: Raw, budget: number): Promise<string> {
  let uri = '';
  for (const { side, quality } of QUALITIES) {
    const { width, height } = sizeOf(raw, side);
    const image = sharp(pixels, { raw }).resize(width, height, { kernel: 'cubic' });
    uri = dataUri('jpeg', await image.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer());
    if (uri.length <= budget) break;
  }
  return uri;
}

function sizeOf(raw: { width: number; height: number }, side: number): { width: number; height: number } {
  const scale = side / Math.max(raw.width, raw.height);
  return {
    width: Math.max(1, Math.round(raw.width * scale)),
    height: Math.max(1, Math.round(raw.height * scale)),
  };
}

const dataUri = (format: 'jpeg' | 'png', bytes: Buffer): string =>
  `data:image/${format};base64,${bytes.toString('base64')}`;
