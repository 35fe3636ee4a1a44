/** Precision, recall and F1 of each label, from what was called for review. */

/** Images of one label: how many there are, and how many of them were called for review. */
export interface Called {
  readonly count: number;
  readonly called: number;
}

export interface LabelFigures {
  /** Of the images judged to be of this label, the share that are; null when none was. */
  readonly precision: number | null;
  /** Of the images of this label, the share judged so; null when there are none. */
  readonly recall: number | null;
  /** Harmonic mean of both (van Rijsbergen 1979): 2 TP / (2 TP + FP + FN); null when there is no image either way. */
  readonly f1: number | null;
  /** Images of this label. */
  readonly support: number;
}

export function classify(good: Called, poor: Called): { good: LabelFigures; poor: LabelFigures } {
  const passed = good.count - good.called;
  const missed = poor.count - poor.called;
  return {
    good: figures(passed, passed + missed, good.count),
    poor: figures(poor.called, poor.called + good.called, poor.count),
  };
}

function figures(right: number, judged: number, support: number): LabelFigures {
  const share = (part: number, of: number) => (of === 0 ? null : part / of);
  return {
    precision: share(right, judged),
    recall: share(right, support),
    f1: share(2 * right, judged + support),
    support,
  };
}
