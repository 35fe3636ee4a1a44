/** The pictures of the report: originals beside reconstructions and maps, on one colour scale. */
import sharp, { type Sharp } from 'sharp';
import { drawMap } from '../../agent/inspect/draw.ts';
import type { Inspector } from '../../agent/inspect/inspect.ts';
import { judge } from '../../agent/inspect/judge.ts';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { Metrics } from '../metrics.ts';

export interface Picture {
  readonly name: string;
  readonly score: number;
  readonly p: number;
  readonly verdict: 'pass' | 'review';
  /** Data URIs. */
  readonly original: string;
  readonly reconstruction: string;
  readonly map: string;
}

export interface PictureGroup {
  readonly title: string;
  readonly pictures: readonly Picture[];
}

/** Longer side at which pictures are embedded, in pixels. */
const SIDE = 256;

interface Choice {
  readonly title: string;
  readonly images: readonly { readonly name: string; readonly path: string }[];
}

/** Scores the chosen images once more, now with map and reconstruction. `paths` gives files of training images. */
export async function takePictures(
  inspector: Inspector,
  metrics: Metrics,
  paths: ReadonlyMap<string, string>,
): Promise<PictureGroup[]> {
  const groups: PictureGroup[] = [];
  for (const { title, images } of choose(metrics, paths)) {
    const pictures: Picture[] = [];
    for (const { name, path } of images) {
      const picture = await takePicture(inspector, name, path);
      if (picture !== null) pictures.push(picture);
    }
    if (pictures.length > 0) groups.push({ title, pictures });
  }
  return groups;
}

function choose({ calibration, evaluation }: Metrics, paths: ReadonlyMap<string, string>): Choice[] {
  const sorted = calibration.images;
  const places = [0, sorted.length >> 1, sorted.length - 1];
  const typical = [...new Set(places)].map((i) => sorted[i]!.name);
  const choices = [
    {
      title: 'Good images that set the threshold: lowest, middle and highest score',
      images: typical.map((name) => ({ name, path: paths.get(name)! })),
    },
  ];
  for (const label of ['poor', 'good'] as const) {
    const images = (evaluation?.images ?? [])
      .filter((image) => image.label === label)
      .toSorted((a, b) => b.score - a.score);
    choices.push(
      { title: `Test images labelled ${label}: highest scores`, images: images.slice(0, 3) },
      { title: `Test images labelled ${label}: lowest scores`, images: images.slice(3).slice(-3).reverse() },
    );
  }
  return choices;
}

async function takePicture(inspector: Inspector, name: string, path: string): Promise<Picture | null> {
  const { manifest } = inspector.bundle;
  const { inspection, scores, pixels } = await inspector.inspectWithMap(path);
  if (inspection.outcome === 'unscorable') return null; // gone or changed since it was scored
  const { score } = inspection;
  const { verdict, p } = judge(score, manifest.threshold, manifest.calibration.scores);
  const size = sizeOf(manifest.preprocessing);
  const { map, mapWidth, mapHeight, reconstruction } = scores!;
  const heat = await drawMap(
    map,
    { width: mapWidth, height: mapHeight },
    manifest.calibration.mapAlarm,
    size,
  );
  return {
    name,
    score,
    p,
    verdict,
    original: await embed(pixels!, manifest.preprocessing),
    reconstruction: await embed(reconstruction, manifest.preprocessing),
    map: await jpeg(sharp(heat)),
  };
}

function sizeOf({ width, height }: Preprocessing): { width: number; height: number } {
  const scale = SIDE / Math.max(width, height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

function embed(pixels: Uint8Array, spec: Preprocessing): Promise<string> {
  const { width, height, channels } = spec;
  const size = sizeOf(spec);
  return jpeg(
    sharp(pixels, { raw: { width, height, channels } }).resize(size.width, size.height, { kernel: 'cubic' }),
  );
}

async function jpeg(image: Sharp): Promise<string> {
  const bytes = await image.jpeg({ quality: 82, chromaSubsampling: '4:4:4' }).toBuffer();
  return `data:image/jpeg;base64,${bytes.toString('base64')}`;
}
