/** One image before it is decoded, wherever it comes from: a file, or a record of an IDX file. */
export interface Sample {
  /** Relative to the folder that was given, with `/` on every system; for people. */
  readonly name: string;
  /** null when it is no file of its own. */
  readonly path: string | null;
  /** Content of an image file: what a device would read. */
  read(): Promise<Uint8Array>;
  /** Patient, burst or the like, never on two sides of a split; null: a group of its own. */
  readonly group: string | null;
}

export type Label = 'good' | 'poor';

export interface LabelledSample extends Sample {
  readonly label: Label;
  /** Class of the image: `good`, or the name of the anomaly (`poor` when it has none). */
  readonly kind: string;
}
