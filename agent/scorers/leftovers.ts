/**
 * Scoring processes that outlived their agent. They end by themselves when it dies, unless they were stopped (SIGSTOP,
 * a debugger, a frozen group): those are found by a list in the state folder at the next start, and ended. Linux only.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const list = z.array(z.object({ pid: z.int().min(2), identity: z.string().min(1) }));

const fileOf = (stateFolder: string) => join(stateFolder, 'scorers.json');

/** Writes down the processes that run now. May fail silently (a full disk): it only serves the next start. */
export function writeDownScorers(stateFolder: string, pids: readonly number[]): void {
  const entries = pids.flatMap((pid) => {
    const identity = identityOf(pid);
    return identity === null ? [] : [{ pid, identity }];
  });
  try {
    writeFileSync(fileOf(stateFolder), JSON.stringify(entries), { mode: 0o600 });
  } catch {}
}

/**
 * Ends what an agent on this state folder left behind; only to be called by who holds the lock of the folder.
 * @returns the processes that were ended. One whose number was given to another process since is none of ours.
 */
export function endLeftovers(stateFolder: string): number[] {
  const ended: number[] = [];
  for (const { pid, identity } of readList(stateFolder)) {
    if (identityOf(pid) !== identity) continue;
    try {
      process.kill(pid, 'SIGKILL');
      ended.push(pid);
    } catch {} // gone meanwhile, or of another user, so not ours
  }
  rmSync(fileOf(stateFolder), { force: true });
  return ended;
}

function readList(stateFolder: string): z.infer<typeof list> {
  try {
    return list.parse(JSON.parse(readFileSync(fileOf(stateFolder), 'utf8')));
  } catch {
    return [];
  }
}

/** The start of the system, and of the process in clock ticks since then: proc_pid_stat(5), field 22. null: no such process. */
function identityOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, field 2, stands in parentheses and may hold anything.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z') return null;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[18]}`;
  } catch {
    return null;
  }
}
