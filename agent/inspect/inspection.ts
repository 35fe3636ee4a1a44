/** What inspecting one capture gives: plain data that crosses the process boundary between scorer and agent. */
import type { Evidence } from '../../config/evidence.ts';
import type { UnscorableReason } from '../../config/verdict.ts';

interface Content {
  /** Bytes read. */
  readonly bytes: number;
  /** SHA-256 of the content, hex; null when nothing was read. Stays in the local ledger. */
  readonly sha256: string | null;
  /** How many captures the file holds: see `agent/inspect/frames.ts`. null: it could not be opened that far. */
  readonly frames: number | null;
}

export interface Scored extends Content {
  readonly outcome: 'scored';
  /** Larger is more anomalous. */
  readonly score: number;
  /** Size as stored, in pixels, and format by content. */
  readonly width: number;
  readonly height: number;
  readonly format: string;
  readonly milliseconds: { readonly decode: number; readonly score: number };
  /** What is rare about it, strongest first; absent where the bundle measures nothing beside the score. */
  readonly evidence?: readonly Evidence[];
}

export interface Unscored extends Content {
  readonly outcome: 'unscorable';
  readonly reason: UnscorableReason;
  /** In words, never with a file name. */
  readonly message: string;
}

export type Inspection = Scored | Unscored;

/** Limits on one capture; beyond them it is unscorable. */
export interface Limits {
  readonly pixels: number;
  readonly bytes: number;
}

/** Decoding or reading found a capture that cannot be scored. Carries the published reason code. */
export class UnscorableError extends Error {
  override readonly name = 'UnscorableError';
  readonly reason: UnscorableReason;
  constructor(reason: UnscorableReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
