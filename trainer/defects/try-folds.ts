/** Tries a cross-fitted bundle with planted defects: each image is scored by the graph that was fitted without it. */

import type { Bundle } from '../../agent/inspect/bundle.ts';
import { openScorer, type Scorer } from '../../agent/inspect/score.ts';
import type { Picture } from '../features.ts';
import { randomFor, shuffled } from '../random.ts';
import { tryDefects } from './try.ts';
import type { Trials } from './types.ts';

/** Good images of all folds together: 37 scores each, in about five seconds. */
const IMAGES = 24;

export interface FoldOptions {
  /** Graphs with images that they did not see. */
  readonly unseen: readonly { readonly graph: Uint8Array; readonly images: readonly Picture[] }[];
  /** Its threshold is that of scores given in the same way, so that the figures are what new images would give. */
  readonly bundle: Bundle;
  readonly seed: number;
  readonly threads: number;
  readonly signal: AbortSignal;
  /** Told the number of images before the first. */
  readonly onBegin: (images: number) => () => void;
}

/** @throws InterruptedError when it is stopped. */
export async function tryFolds(options: FoldOptions): Promise<Trials> {
  const { unseen, bundle, seed, threads, signal, onBegin } = options;
  const { manifest } = bundle;
  const share = Math.ceil(IMAGES / unseen.length);
  const some = unseen.map(({ images }, k) => shuffled(images, randomFor(seed, 'defects', k)).slice(0, share));
  const onImage = onBegin(some.flat().length);
  const scorers: Scorer[] = [];
  try {
    for (const { graph } of unseen)
      scorers.push(await openScorer({ manifest, model: graph }, { executionProvider: 'cpu', threads }));
    const parts = scorers.map((scorer, k) => ({ scorer, pictures: some[k]! }));
    return await tryDefects({ parts, manifest, signal, onImage });
  } finally {
    for (const scorer of scorers) await scorer.close();
  }
}
