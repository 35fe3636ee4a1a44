/** That the ledger was found damaged while it was in use, beside it: its check at the next start may not see that. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { syncFile } from './sync.ts';

const FILE = 'ledger.damaged';

export interface DamageNote {
  /** What the last agent found, in words; null: nothing. */
  readonly left: string | null;
  /** On disk when it returns, unless the disk takes nothing. */
  write(damage: string): void;
  remove(): void;
}

export function damageNote(stateFolder: string): DamageNote {
  const path = join(stateFolder, FILE);
  let left: string | null = null;
  try {
    left = readFileSync(path, 'utf8').trim() || 'found while the agent ran';
  } catch {} // there is none
  return {
    left,
    write(damage) {
      try {
        writeFileSync(path, `${damage}\n`, { mode: 0o600 });
        for (const written of [path, stateFolder]) syncFile(written);
      } catch {} // the check at the next start may still see it
    },
    remove: () => rmSync(path, { force: true }),
  };
}
