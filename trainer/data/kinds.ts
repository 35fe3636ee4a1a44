/** Names of classes: which mean good, and which kinds of anomaly file names tell of. */
import type { LabelledSample, Sample } from './sample.ts';

const GOOD = new Set(['good', 'normal', 'healthy', 'notumor', 'uninfected', 'ok']);
const GOOD_LABELS = new Set([...GOOD, '0', 'pass']);

const plain = (word: string): string => word.toLowerCase().replaceAll(/[\s_-]/g, '');

/** Whether a folder of this name holds good images: `good`, `NORMAL`, `no_tumor`, ... */
export const isGoodName = (name: string): boolean => GOOD.has(plain(name));

/** As `isGoodName`, for a label in a table: also `0` and `pass`. */
export const isGoodLabel = (label: string): boolean => GOOD_LABELS.has(plain(label));

export function asGood(sample: Sample): LabelledSample {
  return { ...sample, label: 'good', kind: 'good' };
}

export function asPoor(sample: Sample, kind: string): LabelledSample {
  return { ...sample, label: 'poor', kind };
}

/** Each kind with its number of images. */
export function kindsAsText(samples: readonly LabelledSample[]): string {
  const groups = Map.groupBy(samples, ({ kind }) => kind);
  return [...groups].map(([kind, some]) => `${kind} ${some.length}`).join(', ');
}

/** How labels were read: `40 good, 12 poor (blur 8, dark 4)`. */
export function labelsAsText(samples: readonly LabelledSample[]): string {
  const good = samples.filter(({ label }) => label === 'good');
  const poor = samples.filter(({ label }) => label === 'poor');
  return `${good.length} good, ${poor.length} poor${poor.length === 0 ? '' : ` (${kindsAsText(poor)})`}`;
}

/** Fewest images of a kind that file names tell of, and fewest and most such kinds. */
const [FEWEST_IMAGES, FEWEST_KINDS, MOST_KINDS] = [5, 2, 12];
/** A word that is rarer than this share of one that it begins with is a variant of it. */
const VARIANT = 0.1;

/**
 * The kind of each of these files of anomalies, in their order, from their names: split at `-` and `_`, the first place
 * at which all have a word of letters, with 2 to 12 different words of at least 5 images each, none of which is in the
 * names of good images (`left` and `right` are no anomalies). A rare word that begins with a frequent one counts as
 * that (`glTr` as `gl`).
 * @returns null when the names tell of no kinds.
 */
export function kindsInNames(names: readonly string[], goodNames: readonly string[]): string[] | null {
  const words = names.map(wordsOf);
  const goodWords = new Set(goodNames.flatMap(wordsOf));
  const places = Math.min(...words.map((some) => some.length));
  for (let place = 0; place < places; place++) {
    const here = words.map((some) => some[place]!);
    if (!here.every((word) => /^\p{L}+$/u.test(word) && !goodWords.has(word))) continue;
    const found = withoutVariants(here);
    const counts = countsOf(found);
    const enough = [...counts.values()].every((count) => count >= FEWEST_IMAGES);
    if (enough && counts.size >= FEWEST_KINDS && counts.size <= MOST_KINDS) return found;
  }
  return null;
}

function withoutVariants(words: readonly string[]): string[] {
  const counts = countsOf(words);
  const isVariant = (word: string, of: string) =>
    word !== of && word.startsWith(of) && counts.get(word)! <= VARIANT * counts.get(of)!;
  const main = new Map(
    [...counts.keys()].map((word) => [word, [...counts.keys()].find((of) => isVariant(word, of)) ?? word]),
  );
  return words.map((word) => main.get(word)!);
}

function countsOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Of the file name without its ending. */
const wordsOf = (name: string): string[] =>
  name
    .slice(name.lastIndexOf('/') + 1)
    .replace(/\.[^.]*$/, '')
    .split(/[-_]/);
