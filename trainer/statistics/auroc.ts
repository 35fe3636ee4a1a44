/** How well a score ranks poor images above good ones. */

/**
 * Area under the ROC curve: the chance that a poor image scores higher than a good one, ties count half
 * (Mann and Whitney 1947).
 * @returns 1: every poor image above every good one; 0.5: chance; 0: the wrong way round. Never flipped.
 */
export function auroc(good: readonly number[], poor: readonly number[]): number {
  const all = [...good.map((s) => ({ s, poor: 0 })), ...poor.map((s) => ({ s, poor: 1 }))];
  all.sort((a, b) => a.s - b.s);
  let wins = 0;
  let goodBelow = 0;
  for (let i = 0; i < all.length; ) {
    let [goodHere, poorHere] = [0, 0];
    const { s } = all[i]!;
    for (; i < all.length && all[i]!.s === s; i++) {
      poorHere += all[i]!.poor;
      goodHere += 1 - all[i]!.poor;
    }
    wins += poorHere * (goodBelow + goodHere / 2);
    goodBelow += goodHere;
  }
  return wins / (good.length * poor.length);
}
