/**
 * How well a score ranks poor images above good ones, with every image weighted by a whole number: one pass over images
 * that were sorted once, so that thousands of bootstrap resamples cost little more than drawing them.
 */

/** An image as far as ranking is concerned. */
export interface RankedImage {
  readonly score: number;
  readonly poor: boolean;
}

/** Images sorted by falling score. */
export interface Ranking {
  /** Place of each image in the list that was given. */
  readonly index: Int32Array;
  /** 1: poor. */
  readonly poor: Uint8Array;
  /** 1: the last one of those with equal scores. */
  readonly last: Uint8Array;
}

export interface RankingFigures {
  /** 1: every poor image above every good one; 0.5: chance; 0: the wrong way round. Never flipped. */
  readonly auroc: number;
  /** Average precision. */
  readonly auprc: number;
  /** Share of poor images above the lowest threshold that calls at most that share of the good ones. */
  readonly detection: readonly number[];
}

/** Sorts once; scores must be numbers (no NaN). */
export function rank(images: readonly RankedImage[]): Ranking {
  const index = Int32Array.from(images.keys()).sort((a, b) => images[b]!.score - images[a]!.score);
  return {
    index,
    poor: Uint8Array.from(index, (i) => Number(images[i]!.poor)),
    last: Uint8Array.from(index, (i, place) =>
      Number(place === index.length - 1 || images[index[place + 1]!]!.score !== images[i]!.score),
    ),
  };
}

/**
 * AUROC (Mann and Whitney 1947: the chance that a poor image scores higher than a good one, ties half), average
 * precision (sum over distinct scores of the gain in recall times the precision there, as scikit-learn has it: no
 * interpolation) and detection at each of `falseAlarms` (ascending shares). Equal scores are taken in together.
 * @param weight how often each image counts, by its place in the list given to `rank`; some good and some poor must count.
 */
export function figuresOf(
  { index, poor, last }: Ranking,
  falseAlarms: readonly number[],
  weight: ArrayLike<number>,
): RankingFigures {
  let [allGood, allPoor] = [0, 0];
  for (let place = 0; place < index.length; place++) {
    const w = weight[index[place]!]!;
    if (poor[place] === 1) allPoor += w;
    else allGood += w;
  }
  const allowed = falseAlarms.map((share) => share * allGood + 1e-9);
  const caught = allowed.map(() => 0);
  let [good, bad, goodHere, poorHere, wins, precision] = [0, 0, 0, 0, 0, 0];
  for (let place = 0; place < index.length; place++) {
    const w = weight[index[place]!]!;
    if (poor[place] === 1) poorHere += w;
    else goodHere += w;
    if (last[place] === 0) continue;
    wins += poorHere * (allGood - good - goodHere / 2);
    good += goodHere;
    bad += poorHere;
    if (poorHere > 0) precision += (poorHere * bad) / (bad + good);
    for (let i = 0; i < allowed.length; i++) if (good <= allowed[i]!) caught[i] = bad;
    goodHere = 0;
    poorHere = 0;
  }
  return {
    auroc: wins / (allGood * allPoor),
    auprc: precision / allPoor,
    detection: caught.map((count) => count / allPoor),
  };
}
