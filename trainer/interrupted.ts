/** What a run that was interrupted leaves behind, and how to go on. */
import { stat } from 'node:fs/promises';
import { InterruptedError } from './error.ts';
import { runFiles } from './run-folder.ts';

/** The same error, with what is there in `folder` by now and what to do. */
export async function withWhatIsLeft(error: InterruptedError, folder: string): Promise<InterruptedError> {
  const { record, checkpoint, bundle } = runFiles(folder);
  const left = async () => {
    if (!(await exists(record))) return 'Nothing was written. Run the same command again.';
    if (await exists(bundle))
      return `${bundle} is complete and works, but it was not tested and has no report. Run the same command with --resume for both.`;
    if (await exists(checkpoint))
      return 'The epochs so far are kept. Run the same command with --resume to go on.';
    return 'Nothing was kept but the settings. Run the same command with --resume to begin again with them, or choose another --out.';
  };
  return new InterruptedError(`${error.message} ${await left()}`, { cause: error });
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
