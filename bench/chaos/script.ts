/** What is written, in which way and order: all of it follows from a seed. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { random } from '../../test/support/images.ts';
import { type Content, drawContent } from './contents.ts';
import { type Place, type Version, versionAt, WAYS, writeFolder } from './ways.ts';

/** Steps under way at the same time. */
const WIDTH = 12;

/** What was written in one place. */
export interface Written {
  /** Stood until the end, or until it was judged: each must have its verdict. */
  readonly due: Version[];
  /** Overwritten at once: may have a verdict. */
  readonly replaced: Version[];
}

export interface ScriptOptions {
  readonly seed: number;
  /** Captures that must have a verdict; a few more may be written, since some steps write several. */
  readonly captures: number;
  /** Where the same is written at the same time; the first is the one that `judged` tells of. */
  readonly places: readonly Place[];
  /** Resolves when the capture with this number may be written. */
  readonly turn: (number: number) => Promise<void>;
  /** Resolves when the subscriber has a verdict on it, or after a while without. */
  readonly judged: (version: Version) => Promise<void>;
}

/** Writes the whole script; in the order of the places, what was written. */
export async function playScript(options: ScriptOptions): Promise<Written[]> {
  const { seed, captures, places } = options;
  const choose = random(seed * 7919);
  const written: Written[] = places.map(() => ({ due: [], replaced: [] }));
  const running = new Set<Promise<void>>();
  const ended = new EventTarget();
  for (let made = 0; made < captures; ) {
    await options.turn(made);
    const contents = await Promise.all(
      Array.from({ length: 6 }, (_, i) => drawContent(seed * 1_000_000 + made * 10 + i, choose)),
    );
    const step = stepOf(choose());
    const work = step
      .write({ ...options, written, contents, number: made, choose: random(seed * 104_729 + made) })
      .finally(() => {
        running.delete(work);
        ended.dispatchEvent(new Event('end'));
      });
    running.add(work);
    made += step.captures;
    await delay(120 * choose() ** 3);
    if (running.size >= WIDTH) await once(ended, 'end');
  }
  await Promise.all(running);
  return written;
}

interface StepContext extends ScriptOptions {
  readonly written: readonly Written[];
  readonly contents: readonly Content[];
  readonly number: number;
  readonly choose: () => number;
}

interface Step {
  readonly share: number;
  /** Versions that become due. */
  readonly captures: number;
  write(context: StepContext): Promise<void>;
}

const STEPS: readonly Step[] = [
  {
    share: 0.7,
    captures: 1,
    write: (context) => writeOne(context, context.contents[0]!, nameOf(context, 0), 'due'),
  },
  {
    share: 0.1, // a new revision of what was judged
    captures: 2,
    async write(context) {
      const name = nameOf(context, 0);
      await writeOne(context, context.contents[0]!, name, 'due');
      await context.judged(context.written[0]!.due.findLast((version) => version.name === name)!);
      await writeOne(context, context.contents[1]!, name, 'due');
    },
  },
  {
    share: 0.05, // another content before anybody had time to judge the first
    captures: 1,
    async write(context) {
      const name = nameOf(context, 0);
      await writeOne(context, context.contents[0]!, name, 'replaced');
      await delay(300 * context.choose());
      await writeOne(context, context.contents[1]!, name, 'due');
    },
  },
  {
    share: 0.05, // several at once
    captures: 5,
    async write(context) {
      await Promise.all(
        context.contents
          .slice(0, 5)
          .map((content, i) => writeOne(context, content, nameOf(context, i), 'due')),
      );
    },
  },
  {
    share: 0.1, // a new folder with files
    captures: 4,
    async write({ places, written, contents, number, choose }) {
      const folder = `visit ${number}`;
      const names = ['1', '2', 'left/3', 'left/deeper/4'];
      const files = new Map(names.map((name, i) => [`${name}.${contents[i]!.ending}`, contents[i]!]));
      const moved = choose() < 0.5;
      await Promise.all(
        places.map(async (place, at) => {
          await writeFolder(place, folder, files, moved);
          for (const [name, content] of files)
            written[at]!.due.push(await versionAt(place, `${folder}/${name}`, content));
        }),
      );
    },
  },
];

function stepOf(at: number): Step {
  let below = 0;
  for (const step of STEPS) {
    below += step.share;
    if (at < below) return step;
  }
  return STEPS[0]!;
}

/** Writes one content in a way of its choice, to all places at the same time. */
async function writeOne(
  { places, written, choose }: StepContext,
  content: Content,
  name: string,
  as: 'due' | 'replaced',
): Promise<void> {
  const ways = Object.values(WAYS);
  const way = ways[Math.floor(choose() * ways.length)]!;
  const seed = Math.floor(choose() * 2 ** 31);
  await Promise.all(
    places.map(async (place, at) => {
      await way(place, name, content, random(seed));
      written[at]![as].push(await versionAt(place, name, content));
    }),
  );
}

/** Plain names, long ones, twins that differ in case, and those of other scripts; unlike all others of the run. */
function nameOf({ number, contents, choose }: StepContext, i: number): string {
  const { ending } = contents[i]!;
  const kinds = [
    `${number}-${i}.${ending}`,
    `IMG ${number} (${i}).${ending.toUpperCase()}`,
    `img ${number} (${i}).${ending}`,
    `Aufnahme größer ${number}·眼底·${i}.${ending}`,
    `${number}-${i}-${'x'.repeat(255)}`.slice(0, 254 - ending.length).concat('.', ending),
  ];
  return kinds[Math.floor(choose() * kinds.length)]!;
}
