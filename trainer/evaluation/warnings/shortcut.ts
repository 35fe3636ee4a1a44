/** One property of the files gives the class away: a model, or its training, may answer that instead of the question. */
import { auroc } from '../../statistics/auroc.ts';
import type { Properties, ScoredImage, Warning } from '../types.ts';
import { type FindWarning, meanByGroup, percent, type WarningInput } from './input.ts';
import { mannWhitney } from './two-sample.ts';

/** Fewer groups of a label than this show nothing. */
const FEWEST = 8;
/** Over all properties and all their splits together. */
const SIGNIFICANCE = 0.01;
/** Tests made at most over all properties, for Bonferroni. */
const TESTS = 16;
/** A weaker difference is no shortcut, however significant. */
const LEAST_AUROC = 0.75;
const LEAST_DIFFERENCE = 0.4;
/** A frame or text takes at least this share of picture or margin. */
const LEAST_BORDER = 0.02;

interface Property {
  readonly code: string;
  readonly name: string;
  /** Ranked: larger in one class. null: this image has no such value. */
  readonly number?: (properties: Properties) => number | null;
  /** Compared by the share of images with each value. */
  readonly value?: (properties: Properties) => string;
  /** Compared by the share of images that have it; smallest difference that counts. */
  readonly presence?: { readonly holds: (properties: Properties) => boolean; readonly least: number };
  readonly advice: string;
}

/** What belongs to poor quality itself (bytes of the file, brightness, contrast, sharpness) is no shortcut but a baseline. */
const PROPERTIES: readonly Property[] = [
  {
    code: 'shortcut-size',
    name: 'size in pixels',
    number: ({ width, height }) => width * height,
    value: ({ width, height }) => `${width}x${height}`,
    advice: 'Bring all images to one size from the same kind of originals before believing a score.',
  },
  {
    code: 'shortcut-aspect',
    name: 'aspect ratio',
    number: ({ width, height }) => width / height,
    advice: 'Squeezing to a square hides the frame but stretches the content: crop all images alike.',
  },
  {
    code: 'shortcut-channels',
    name: 'channel count',
    value: ({ channels }) => `${channels} ${channels === 1 ? 'channel' : 'channels'}`,
    advice: 'Train and score in grey, and take both classes from the same source.',
  },
  {
    code: 'shortcut-format',
    name: 'file type',
    value: ({ format }) => format,
    advice: 'Take both classes from the same source: compression leaves traces that a model can see.',
  },
  {
    code: 'shortcut-jpeg-quality',
    name: 'JPEG quality',
    number: ({ jpegQuality }) => jpegQuality,
    advice: 'Take both classes from the same source: compression leaves traces that a model can see.',
  },
  {
    code: 'shortcut-border',
    name: 'uniform border',
    presence: { holds: ({ border }) => border >= LEAST_BORDER, least: 2 * LEAST_AUROC - 1 },
    advice: 'Crop the frames of all images alike.',
  },
  {
    code: 'shortcut-text',
    name: 'burned-in text',
    presence: { holds: ({ text }) => text > 0, least: 2 * LEAST_AUROC - 1 },
    advice: 'Crop or mask the text in all images alike.',
  },
];

export const SHORTCUTS: readonly FindWarning[] = PROPERTIES.map(
  (property) => (input) => shortcut(property, input),
);

export const SHORTCUT_CODES: readonly string[] = PROPERTIES.map(({ code }) => code);

interface Difference {
  readonly effect: number;
  readonly message: string;
  readonly figures: Readonly<Record<string, number | string>>;
}

function shortcut(property: Property, { images }: WarningInput): Warning | null {
  const good = images.filter(({ label }) => label === 'good');
  const poor = images.filter(({ label }) => label === 'poor');
  const found = [
    ...(property.number === undefined ? [] : [byNumber(property.number, good, poor)]),
    ...(property.value === undefined ? [] : byValue(property.value, good, poor)),
    ...(property.presence === undefined
      ? []
      : [byShare(`have a ${property.name}`, property.presence.holds, property.presence.least, good, poor)]),
  ].filter((difference) => difference !== null);
  const clearest = found.sort((a, b) => b.effect - a.effect)[0];
  if (clearest === undefined) return null;
  return {
    code: property.code,
    severity: 'serious',
    message: `The ${property.name} gives the class away: ${clearest.message}.`,
    advice: `${property.advice} Until then the figures may measure this and not what was asked.`,
    figures: { property: property.name, ...clearest.figures },
  };
}

function byNumber(
  number: (properties: Properties) => number | null,
  good: readonly ScoredImage[],
  poor: readonly ScoredImage[],
): Difference | null {
  const valued = (images: readonly ScoredImage[]) =>
    images.flatMap(({ group, properties }) => {
      const value = number(properties);
      return value === null ? [] : [{ group, value }];
    });
  const [g, p] = [valued(good), valued(poor)];
  if (!isSignificant(g, p, ({ value }) => value)) return null;
  const values = (of: typeof g) => of.map(({ value }) => value).sort((a, b) => a - b);
  const signed = auroc(values(g), values(p));
  const effect = Math.max(signed, 1 - signed);
  if (effect < LEAST_AUROC) return null;
  const middle = (of: number[]) => of[Math.floor(of.length / 2)]!;
  const [medianGood, medianPoor] = [middle(values(g)), middle(values(p))];
  return {
    effect,
    message: `it is ${signed > 0.5 ? 'larger' : 'smaller'} in poor images (AUROC ${effect.toFixed(3)} by itself; median ${short(medianGood)} in good images, ${short(medianPoor)} in poor ones)`,
    figures: { auroc: effect, medianGood, medianPoor },
  };
}

/** Only values that are common in one class can differ by enough: at most two in each. */
function byValue(
  value: (properties: Properties) => string,
  good: readonly ScoredImage[],
  poor: readonly ScoredImage[],
): Difference[] {
  const common = [good, poor].flatMap((images) =>
    [...Map.groupBy(images, ({ properties }) => value(properties))]
      .filter(([, members]) => members.length >= LEAST_DIFFERENCE * images.length)
      .map(([name]) => name),
  );
  return [...new Set(common)].flatMap((name) => {
    const found = byShare(`have ${name}`, (p) => value(p) === name, LEAST_DIFFERENCE, good, poor);
    return found === null ? [] : [found];
  });
}

function byShare(
  words: string,
  holds: (properties: Properties) => boolean,
  least: number,
  good: readonly ScoredImage[],
  poor: readonly ScoredImage[],
): Difference | null {
  const indicator = ({ properties }: ScoredImage) => (holds(properties) ? 1 : 0);
  if (!isSignificant(good, poor, indicator)) return null;
  const share = (images: readonly ScoredImage[]) =>
    images.reduce((sum, image) => sum + indicator(image), 0) / images.length;
  const [shareGood, sharePoor] = [share(good), share(poor)];
  const difference = Math.abs(shareGood - sharePoor);
  if (difference < least) return null;
  return {
    effect: (1 + difference) / 2, // the AUROC of a yes or no
    message: `${percent(sharePoor)} of the poor images ${words}, and ${percent(shareGood)} of the good ones`,
    figures: { value: words, shareGood, sharePoor },
  };
}

/** By groups, not images: ten pictures of one patient are alike in more than their label. */
function isSignificant<T extends { readonly group: string | null }>(
  good: readonly T[],
  poor: readonly T[],
  measure: (item: T) => number,
): boolean {
  const [g, p] = [meanByGroup(good, measure), meanByGroup(poor, measure)];
  return g.length >= FEWEST && p.length >= FEWEST && mannWhitney(g, p) < SIGNIFICANCE / TESTS;
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
