/** What goes wrong beside the agent, and how it is put right. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { scorersOf } from '../chaos/processes.ts';
import type { Scene, SceneOptions } from './scene.ts';

export interface Fault {
  readonly name: string;
  readonly scene: SceneOptions;
  /** Programs that it takes, all of them as root. */
  readonly needs: readonly string[];
  /** Puts it wrong. @returns how it is put right again. */
  breakIt(scene: Scene): Promise<() => Promise<void>>;
  /** Where captures are written meanwhile, when not into the watched folder. */
  readonly meanwhile?: (scene: Scene) => string;
}

const NOBODY = 65_534;
const WATCHES = '/proc/sys/user/max_inotify_watches';

export const FAULTS: readonly Fault[] = [
  {
    name: 'little space in the state folder',
    needs: ['mount'],
    scene: { prepare: ({ state }) => shell(`mount -t tmpfs -o size=64m tmpfs ${state}`) },
    breakIt: ({ state }) => fill(state, 60),
  },
  {
    name: 'no byte free in the state folder',
    needs: ['mount'],
    scene: {
      prepare: ({ state }) => shell(`mount -t tmpfs -o size=16m tmpfs ${state}`),
      settings: { 'limits-disk': '1' },
    },
    breakIt: ({ state }) => fill(state, 32),
  },
  {
    name: 'disk turned read-only by its file system (agent started again after the repair)',
    needs: ['mount', 'mkfs.ext4', 'fsck.ext4'],
    scene: {
      prepare: ({ state }) =>
        shell(`truncate -s 64M ${state}.disk && mkfs.ext4 -q ${state}.disk && ${mountDisk(state)}`),
    },
    async breakIt(scene) {
      const { state } = scene;
      await shell(`echo 1 > /sys/fs/ext4/$(basename $(findmnt -no SOURCE ${state}))/trigger_fs_error`);
      return () =>
        scene.restart('SIGKILL', () =>
          shell(
            `umount ${state} && { fsck.ext4 -fy ${state}.disk > /dev/null || true; } && ${mountDisk(state)}`,
          ),
        );
    },
  },
  {
    name: 'no inotify watches',
    needs: ['unshare', 'nsenter'],
    scene: {
      launcher: ['unshare', '--user', '--map-root-user', 'sh', '-c', `echo 0 > ${WATCHES} && exec "$0" "$@"`],
    },
    breakIt:
      async ({ agent: { pid } }) =>
      () =>
        shell(`nsenter --user --target ${pid} --preserve-credentials sh -c 'echo 100000 > ${WATCHES}'`),
  },
  {
    name: 'no descriptors left (EMFILE)',
    needs: ['prlimit'],
    scene: {},
    async breakIt({ agent: { pid } }) {
      await shell(`prlimit --pid ${pid} --nofile=3:`); // what is open stays open
      return () => shell(`prlimit --pid ${pid} --nofile=1024:`);
    },
  },
  {
    name: 'folder removed and back',
    needs: [],
    scene: {},
    meanwhile: ({ watch }) => `${watch}.away`,
    async breakIt({ watch }) {
      await rename(watch, `${watch}.away`);
      return () => rename(`${watch}.away`, watch);
    },
  },
  {
    name: 'folder unmounted and back',
    needs: ['mount'],
    scene: { prepare: ({ watch }) => shell(`mount -t tmpfs tmpfs ${watch}`) },
    meanwhile: ({ watch }) => `${watch}.share`,
    async breakIt({ watch }) {
      await mkdir(`${watch}.share`);
      await shell(`mount --bind ${watch} ${watch}.share && umount ${watch}`);
      return () => shell(`mount --bind ${watch}.share ${watch}`);
    },
  },
  {
    name: 'permission lost and back',
    needs: ['setpriv'],
    scene: {
      user: NOBODY,
      launcher: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
    },
    async breakIt({ watch }) {
      await chmod(watch, 0);
      return () => chmod(watch, 0o755);
    },
  },
  {
    name: 'ledger locked by another process',
    needs: [],
    scene: {},
    async breakIt({ state }) {
      const other = new DatabaseSync(path.join(state, 'ledger.sqlite'));
      other.exec('BEGIN IMMEDIATE');
      return async () => other.close();
    },
  },
  {
    name: 'ledger overwritten with noise while the agent is away',
    needs: [],
    scene: {},
    async breakIt(scene) {
      await scene.restart('SIGTERM', async () => {
        const ledger = await open(path.join(scene.state, 'ledger.sqlite'), 'r+');
        await ledger.write(Buffer.alloc(8 * 4096, 0xa5), 0, 8 * 4096, 4096);
        await ledger.close();
      });
      return async () => {};
    },
  },
  {
    name: 'bundle deleted under way, scoring process ended',
    needs: [],
    scene: {},
    async breakIt({ bundle, agent: { pid } }) {
      await rename(bundle, `${bundle}.away`);
      for (const scorer of scorersOf(pid)) process.kill(scorer, 'SIGKILL');
      return () => rename(`${bundle}.away`, bundle);
    },
  },
];

/** Why a fault cannot be made here; null when it can. */
export function missingFor({ needs }: Fault): string | null {
  if (needs.length === 0) return null;
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = needs.filter((program) => spawnSync('which', [program]).status !== 0);
  return missing.length === 0 ? null : `needs ${missing.join(', ')}`;
}

/** Writes until so many MiB, or all that is free, are taken. */
async function fill(folder: string, mebibytes: number): Promise<() => Promise<void>> {
  const file = path.join(folder, 'filling');
  // Fails at its end where less is free.
  spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k', `count=${16 * mebibytes}`]);
  return () => rm(file);
}

const mountDisk = (state: string) => `mount -o loop,errors=remount-ro ${state}.disk ${state}`;

async function shell(script: string): Promise<void> {
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
}
