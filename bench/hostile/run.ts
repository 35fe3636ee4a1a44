/** Feeds hostile files to one agent, lot by lot, and compares its verdicts with a decoder of our own calling. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { imageRef, siteKey } from '../../agent/deliver/identity.ts';
import { decodeCapture, openImage } from '../../agent/inspect/decode.ts';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { Verdict } from '../../config/verdict.ts';
import { plumbline, startPeer } from '../agent/peers.ts';
import { familyOf, residentBytes } from '../agent/usage.ts';
import { type HostileFile, hostileFile } from './files.ts';
import { originals } from './originals.ts';

/** Files that are moved in together. */
const LOT = 250;
export const LIMITS = { pixels: 2_000_000, bytes: 4 * 2 ** 20, scoring: 10 };
const MEBI = 2 ** 20;

export interface HostileOutcome {
  readonly files: number;
  /** Files with a verdict, and verdicts on further frames of one. */
  readonly verdicts: number;
  readonly frames: number;
  /** Ids beyond one for each file, or frame of one. */
  readonly surplus: number;
  readonly words: Readonly<Record<string, number>>;
  /** Files by reason of their verdict. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Scored though the decoder rejects them, in words. */
  readonly wrong: readonly string[];
  readonly overLimits: readonly string[];
  /** Why the main process ended; null: it did not. */
  readonly crash: string | null;
  /** Resident MiB of the main process and of the scoring process: after a tenth, at most, and at the end. */
  readonly main: readonly [number, number, number];
  readonly scorer: readonly [number, number, number];
  readonly seconds: number;
}

export async function runHostile(options: {
  readonly seed: number;
  readonly files: number;
  readonly folder: string;
  readonly bundle: string;
  readonly report: (text: string) => void;
}): Promise<HostileOutcome> {
  const { seed, files, folder, bundle, report } = options;
  const whole = await originals();
  const settings = {
    'limits-pixels': LIMITS.pixels,
    'limits-bytes': LIMITS.bytes,
    'limits-scoring': LIMITS.scoring,
    'watch-settle': 1,
  };
  const place = path.join(folder, 'place');
  const agent = await startPeer(plumbline(bundle, settings), place, 1);
  const key = siteKey(path.join(place, 'state'));
  const started = performance.now();
  const memory: { main: number; scorer: number }[] = [];
  const look = () => {
    const [main, ...scorers] = familyOf(agent.pid);
    memory.push({ main: residentBytes([main!]) / MEBI, scorer: residentBytes(scorers) / MEBI });
  };
  /** By file and frame. */
  const verdicts = new Map<string, Verdict>();
  const keyOf = (ref: string, frame = 1) => `${ref} ${frame}`;
  const judged = () => [...verdicts.values()].filter(({ image: { frame = 1 } }) => frame === 1).length;
  const ids = new Set<string>();
  const wrong: string[] = [];
  const overLimits: string[] = [];
  let crash: string | null = null;
  let read = 0;
  try {
    for (let from = 0; from < files; from += LOT) {
      const lot = await writeLot(folder, agent.watch, from, Math.min(files, from + LOT), (n) =>
        hostileFile(seed, n, whole),
      );
      const refs = new Map([...lot].map(([name, file]) => [imageRef(key, name), file]));
      const missing = () => [...refs.keys()].filter((ref) => !verdicts.has(keyOf(ref))).length;
      while (missing() > 0) {
        const wanted = agent.verdicts.length + 1;
        await Promise.race([
          agent.until(wanted),
          delay(120_000).then(() =>
            Promise.reject(new Error(`${missing()} files got no verdict within 120 s`)),
          ),
        ]);
        for (; read < agent.verdicts.length; read++) {
          const verdict = JSON.parse(agent.verdicts[read]!.payload.toString()) as Verdict;
          verdicts.set(keyOf(verdict.image.ref, verdict.image.frame), verdict);
          ids.add(verdict.id);
        }
      }
      for (const [ref, file] of refs)
        for (let frame = 1; verdicts.has(keyOf(ref, frame)); frame++)
          await examine(verdicts.get(keyOf(ref, frame))!, file, wrong, overLimits);
      await rm(path.join(agent.watch, `lot ${from}`), { recursive: true });
      look();
      report(`\r${judged()} of ${files} files, main process ${memory.at(-1)!.main.toFixed(0)} MiB  `);
    }
    await delay(5000);
    look();
  } catch (error) {
    crash = (error as Error).message;
  } finally {
    await agent.stop();
  }
  report('\n');
  const all = [...verdicts.values()];
  const level = (of: 'main' | 'scorer') =>
    [
      memory[Math.floor(memory.length / 10)]?.[of] ?? 0,
      Math.max(...memory.map((one) => one[of])),
      memory.at(-1)?.[of] ?? 0,
    ] as const;
  return {
    files,
    verdicts: judged(),
    frames: all.length - judged(),
    surplus: ids.size - all.length,
    words: count(all.map(({ verdict }) => verdict)),
    reasons: count(all.flatMap(({ reason }) => reason ?? [])),
    wrong,
    overLimits,
    crash,
    main: level('main'),
    scorer: level('scorer'),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Writes a folder beside, moves it in; the files by name within the watched folder. */
async function writeLot(
  folder: string,
  watch: string,
  from: number,
  to: number,
  make: (number: number) => HostileFile,
): Promise<Map<string, HostileFile>> {
  const lot = new Map<string, HostileFile>();
  const made = path.join(folder, `lot ${from}`);
  await mkdir(made);
  for (let number = from; number < to; number++) {
    const file = make(number);
    const name = `${number}.${file.ending}`;
    await writeFile(path.join(made, name), file.bytes);
    lot.set(`lot ${from}/${name}`, file);
  }
  await rename(made, path.join(watch, `lot ${from}`));
  return lot;
}

async function examine(
  { verdict, image, milliseconds, seq }: Verdict,
  file: HostileFile,
  wrong: string[],
  overLimits: string[],
): Promise<void> {
  if (verdict === 'unscorable') return;
  const rejection = await rejectionOf(file, image.frame ?? 1);
  if (rejection !== null) wrong.push(`${file.kind}, seq ${seq}: ${verdict}, though ${rejection}`);
  const took = (milliseconds.decode ?? 0) + (milliseconds.score ?? 0);
  if (
    image.width! * image.height! > LIMITS.pixels ||
    image.bytes > LIMITS.bytes ||
    took > LIMITS.scoring * 1000
  )
    overLimits.push(
      `${file.kind}, seq ${seq}: ${image.width} x ${image.height}, ${image.bytes} bytes, ${took} ms`,
    );
}

/** One image in full size, every pixel of it. Null: it can be decoded. */
async function rejectionOf({ ending, bytes }: HostileFile, frame: number): Promise<string | null> {
  try {
    const dicom = bytes.toString('latin1', 128, 132) === 'DICM' || ending === 'dcm';
    if (dicom) await decodeCapture(await openImage(bytes, SHOWN, LIMITS), SHOWN, frame);
    else await sharp(bytes, { failOn: 'error', limitInputPixels: false }).raw().toBuffer();
    return null;
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
}

const SHOWN: Preprocessing = {
  ...{ width: 64, height: 64, channels: 3, frames: 1 },
  ...{ crop: 'none', fit: 'fill', kernel: 'nearest' },
};

function count(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
