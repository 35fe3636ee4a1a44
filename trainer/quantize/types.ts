/** What quantisation came to, as `metrics.json` tells it. */
import type { Gate } from './gate.ts';

/** A figure of the bundle in float32, and of the quantised one. */
export interface Both {
  readonly float: number;
  readonly quantized: number;
}

/** What it costs and what it gains. */
export interface Comparison {
  /** Convolutions in integers, and names of those that stay in float32. */
  readonly layers: number;
  readonly float: readonly string[];
  /** Standard deviation of what is added to the scores, of that of the scores: see graph.ts. */
  readonly noise: number;
  readonly gate: Gate;
  readonly threshold: Both;
  /** Of the graph, and of the bundle with the images that prove it. */
  readonly graphBytes: Both;
  readonly bundleBytes: Both;
  /** Median of one image on one thread, decoding apart. */
  readonly milliseconds: Both;
}

/** A refused one ships in float32; without a comparison nothing could be quantised. */
export type Quantization =
  | { readonly refused: null; readonly comparison: Comparison }
  | { readonly refused: string; readonly comparison: Comparison | null };
