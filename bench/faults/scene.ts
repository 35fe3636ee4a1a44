/** An agent with a broker, a folder and a subscriber, for one fault. */
import { chown, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { State } from '../../config/topics.ts';
import { AGENT, type AgentProcess, startProgram } from '../../test/support/agent.ts';
import { type Message, startBroker, subscribe } from '../../test/support/broker.ts';
import { makeTestBundle } from '../../test/support/bundle.ts';
import { writeCapture } from '../../test/support/images.ts';

export interface SceneOptions {
  /** What the agent is started by, such as `setpriv`, with its arguments. */
  readonly launcher?: readonly string[];
  /** Whose the folders are. */
  readonly user?: number;
  /** Beside those of every scene. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Called with the folders, empty, before the agent starts. */
  readonly prepare?: (folders: Pick<Scene, 'watch' | 'state'>) => Promise<void>;
}

export interface Scene {
  readonly watch: string;
  readonly state: string;
  readonly bundle: string;
  /** Writes captures into `folder`, by default the watched one. */
  drop(count: number, folder?: string): Promise<void>;
  /** The process that runs now. */
  readonly agent: AgentProcess;
  restart(signal: NodeJS.Signals, meanwhile: () => Promise<void>): Promise<void>;
  /** Distinct ids and refs of the verdicts so far. */
  verdicts(): { readonly ids: number; readonly refs: number };
  /** What the retained state says now. */
  said(): State | undefined;
  /** Whether `holds` became true within so many seconds. */
  within(seconds: number, holds: () => boolean): Promise<boolean>;
  close(): Promise<void>;
}

export async function openScene(options: SceneOptions): Promise<Scene> {
  const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-faults-'));
  const [watch, state] = [path.join(folder, 'captures'), path.join(folder, 'state')];
  const { path: bundle } = await makeTestBundle(folder);
  for (const made of [watch, state]) await mkdir(made);
  await options.prepare?.({ watch, state });
  for (const owned of [folder, watch, state]) await chown(owned, options.user ?? process.getuid!(), -1);
  const broker = await startBroker();
  const subscriber = await subscribe(broker.url);
  const settings = {
    bundle,
    watch,
    state,
    broker: broker.url,
    'watch-settle': '1',
    'watch-sweep': '3',
    ...options.settings,
  };
  const args = ['run', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])];
  const [program, ...before] = [...(options.launcher ?? []), AGENT];
  const start = () => startProgram(program!, [...before, ...args]);
  let agent = start();
  let written = 0;
  const of = (kind: string) => subscriber.messages.filter(({ topic }) => topic.endsWith(kind));
  const said = () => of('/state').at(-1)?.payload as State | undefined;
  const within = async (seconds: number, holds: () => boolean) => {
    const deadline = performance.now() + seconds * 1000;
    while (!holds() && performance.now() < deadline) await delay(50);
    return holds();
  };
  const verdicts = () => {
    const payloads = of('/verdict').map(({ payload }: Message) => payload);
    const refs = new Set(payloads.map(({ image }) => (image as { ref: string }).ref));
    return { ids: new Set(payloads.map(({ id }) => id)).size, refs: refs.size };
  };
  return {
    watch,
    state,
    bundle,
    get agent() {
      return agent;
    },
    async drop(count, into = watch) {
      for (let i = 0; i < count; i++, written++)
        await writeCapture(path.join(into, `${written}.jpg`), 'smooth', written);
    },
    async restart(signal, meanwhile) {
      agent.child.kill(signal);
      await agent.ended;
      await meanwhile();
      agent = start();
    },
    verdicts,
    said,
    within,
    async close() {
      agent.child.kill('SIGKILL');
      await agent.ended;
      await subscriber.close();
      await broker.close();
    },
  };
}
