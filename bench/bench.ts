/** What a benchmark is. */

export interface BenchContext {
  /** Folder for downloads and measurements, ignored by git. */
  cache: string;
  /** Cache folder of training backends, as `trainer backend install` fills it. */
  backends: string;
  environment: Readonly<Record<string, string | undefined>>;
  /** Parts to run of those that the benchmark has; none: all. */
  only: readonly string[];
  /** How much is measured: what the benchmark says by default, or what the command line asks for. */
  counts: Readonly<Record<string, number>>;
  /** What was asked for of the benchmark's `choices`; a flag is "". */
  choices: Readonly<Record<string, string>>;
  /** Writes progress, to standard error. */
  report: (text: string) => void;
}

/** One result table. Numbers are printed to three digits; a text stays as it is. */
export interface Table {
  title: string;
  columns: readonly string[];
  rows: readonly (readonly (string | number)[])[];
  /** How it was measured, and what to know before quoting it. */
  notes: readonly string[];
  /** Whether something missed what it must reach; the command then ends with exit code 1. */
  failed?: boolean;
}

export interface Bench {
  /** The word on the command line. */
  name: string;
  /** What it measures, in one line. */
  title: string;
  /** What `--only` may choose; none: it is one whole. */
  parts?: readonly string[];
  /** Options `--name NUMBER` that it has, with their defaults. */
  counts?: Readonly<Record<string, number>>;
  /** Options `--name VALUE`, or flags `--name`, that it has beside counts. */
  choices?: Readonly<Record<string, 'value' | 'flag'>>;
  /** @throws MissingPrerequisite when this machine cannot run it. */
  run(context: BenchContext): Promise<Table[]>;
}

/** A benchmark needs something that is not here; it is skipped with this message. */
export class MissingPrerequisite extends Error {
  override readonly name = 'MissingPrerequisite';
}

/** An option was given what the benchmark does not know. */
export class WrongChoice extends Error {
  override readonly name = 'WrongChoice';
}
