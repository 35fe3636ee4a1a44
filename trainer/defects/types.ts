/** What a trial with planted defects found, as `metrics.json` holds it. */

/** One defect, planted on every clear image in turn. */
export interface Trial {
  /** Name of the family. */
  readonly family: string;
  /** Diameter as a share of the image's shorter side. */
  readonly size: number;
  readonly strength: 'weak' | 'medium' | 'strong';
  /** Images that it was planted on so that at least one pixel changed. */
  readonly planted: number;
  /** Of these, called at the threshold of the bundle. */
  readonly called: number;
  /** Of these, called at 5 % false alarms, see `Trials.alpha`. */
  readonly found: number;
  /** Of those found, with the largest value of the map inside of the defect, one cell of the map more. */
  readonly located: number;
  /** Of those planted, with a cell of the map above the alarm; of these, with the largest value inside likewise. */
  readonly marked: number;
  readonly markedWithin: number;
}

export interface Trials {
  /** Good images that were looked at. */
  readonly images: number;
  /** Of these, neither called at `alpha` nor with a cell of the map above the alarm: defects are planted on them alone. */
  readonly clear: number;
  /** False alarms that `found` stands for: 0.05, or the fewest that so small a calibration can tell. */
  readonly alpha: number;
  /** Of the good images as they are: called at `alpha`, and without any cell of the map above the alarm. */
  readonly falseAlarms: number;
  readonly quiet: number;
  readonly trials: readonly Trial[];
}
