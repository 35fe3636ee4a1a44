/** Runs a process whose disk forgets, at a power cut, everything that was not synced: see powerCut.c. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface Disk {
  /** Below it the disk forgets. */
  readonly root: string;
  readonly environment: Record<string, string>;
  /**
   * Writes to `target` what is left after a power cut. Files that are named in `survivors` happened to be written
   * whole before it, synced or not; a disk may do so with any of them.
   */
  cut(target: string, survivors?: readonly string[]): void;
}

/** @param place an empty folder. Returns why not, in words, where there is no C compiler. */
export function forgetfulDisk(place: string): Disk | string {
  const library = path.join(place, 'powerCut.so');
  const source = path.join(import.meta.dirname, 'powerCut.c');
  const cc = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], {
    encoding: 'utf8',
  });
  if (cc.error !== undefined) return `needs a C compiler (cc): ${cc.error.message}`;
  if (cc.status !== 0) throw new Error(cc.stderr);
  const [root, durable] = [path.join(place, 'disk'), path.join(place, 'durable')];
  for (const folder of [root, durable, path.join(durable, 'names'), path.join(durable, 'content')])
    mkdirSync(folder);

  const restore = (at: string, target: string, survivors: readonly string[]) => {
    mkdirSync(target, { mode: 0o700 });
    const names = path.join(durable, 'names', `${lstatSync(at).ino}`);
    const entries = existsSync(names) ? readFileSync(names, 'utf8').split('\n').filter(Boolean) : [];
    for (const entry of entries) {
      const [inode, name] = entry.split(' ') as [string, string];
      const now = path.join(at, name);
      if (existsSync(now) && lstatSync(now).isDirectory()) {
        restore(now, path.join(target, name), survivors);
        continue;
      }
      const content = path.join(durable, 'content', inode);
      const kept = survivors.includes(name) && existsSync(now) ? now : content;
      writeFileSync(path.join(target, name), existsSync(kept) ? readFileSync(kept) : '', { mode: 0o600 });
    }
  };
  return {
    root,
    environment: { LD_PRELOAD: library, POWER_CUT_ROOT: root, POWER_CUT_DURABLE: durable },
    cut: (target, survivors = []) => restore(root, target, survivors),
  };
}

/** Everything in `folder` by name, for messages. */
export function names(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).sort();
}
