/** What the agent and a scoring process say to each other. One job at a time, so an answer needs no number. */
import type { Manifest } from '../../config/bundle.ts';
import type { Inspection, Limits } from '../inspect/inspection.ts';
import type { ExecutionProvider } from '../inspect/score.ts';

/** First message to a scoring process. */
export interface Load {
  readonly type: 'load';
  readonly bundlePath: string;
  readonly executionProvider: ExecutionProvider;
  readonly threads: number;
  readonly limits: Limits;
}

/** Work for a scoring process. */
export interface Inspect {
  readonly type: 'inspect';
  readonly file: string | Buffer;
  /** Which of the file's captures, from 1. */
  readonly frame: number;
}

export type ToScorer = Load | Inspect;

export type FromScorer =
  /** Loaded, proven by its golden samples, warm. */
  | { readonly type: 'ready'; readonly manifest: Manifest }
  /** The bundle is not accepted (`bundle`), or loading failed otherwise. In words for the operator. */
  | { readonly type: 'refused'; readonly bundle: boolean; readonly message: string }
  /** The file in work was read and decoded: what is left is the graph. */
  | { readonly type: 'decoded' }
  | { readonly type: 'inspected'; readonly inspection: Inspection }
  /**
   * Not the file's fault, as far as is known, or certainly not (`shortage`): the process is to be replaced. Holds no file
   * name.
   */
  | { readonly type: 'failed'; readonly message: string; readonly shortage: boolean };
