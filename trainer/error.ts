/** What keeps a run from starting or going on: says what was expected, what came and what to do. */
export class TrainerError extends Error {
  override readonly name = 'TrainerError';
}

/** The run was interrupted before there was anything to keep. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}
