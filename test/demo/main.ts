/** `npm run demo`: the whole line on drawn phantoms, from training to verdicts over MQTT. `-- --once` checks and ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs, styleText } from 'node:util';
import mqtt from 'mqtt';
import { imageRef, siteKey } from '../../agent/deliver/identity.ts';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import { topics } from '../../config/topics.ts';
import { type Verdict, verdict as verdictSchema } from '../../config/verdict.ts';
import { freePort } from '../support/port.ts';
import { drawPhantom, FLAWS } from './phantoms.ts';
import { drawPicture } from './picture.ts';

const root = path.join(import.meta.dirname, '../..');
const folder = path.join(root, 'demo-run');
const good = path.join(folder, 'good');
const captures = path.join(folder, 'captures');
const run = path.join(folder, 'run');
const bundle = path.join(run, 'bundle.onnx');

/** Of evidence, shown for each capture that is called for review. */
const SENTENCES = 2;

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
const stop = new AbortController();
const children = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    stop.abort();
    for (const child of children) child.kill('SIGTERM');
  });

try {
  await demo();
} catch (error) {
  if (!stop.signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  for (const child of children) child.kill('SIGTERM');
}

async function demo(): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(good, { recursive: true });
  await mkdir(captures, { recursive: true });

  heading('1. Drawing 130 good phantoms');
  for (let seed = 0; seed < 130; seed++)
    await writeFile(path.join(good, `good-${seed}.jpg`), await drawPhantom(seed));

  heading('2. Training on them');
  await finished(start('trainer', ['fit', good, '--out', run]));

  heading('3. Starting the agent with a broker of its own');
  const port = await freePort();
  const state = path.join(folder, 'state');
  const where = [
    '--bundle',
    bundle,
    '--watch',
    captures,
    '--state',
    state,
    '--site',
    'demo',
    '--device',
    'camera',
  ];
  const agent = start('agent', [
    'run',
    ...where,
    '--mqtt-embedded-port',
    String(port),
    '--log-level',
    'warn',
  ]);
  const agentEnded = finished(agent);
  const topic = topics('plumbline', 'demo', 'camera');
  const client = await Promise.race([
    subscribe(port, [topic.verdict, topic.state]),
    agentEnded.then(() => Promise.reject(new Error('The agent ended early.'))),
  ]);

  heading('4. Dropping captures into the folder');
  const drops = [
    ...Array.from({ length: 6 }, (_, i) => ({ name: `capture-${i}.jpg`, seed: 1000 + i, flaw: undefined })),
    ...FLAWS.map((flaw, i) => ({ name: `${flaw.replaceAll(' ', '-')}.jpg`, seed: 2000 + i, flaw })),
  ].sort((a, b) => (a.seed % 10) - (b.seed % 10) || a.seed - b.seed);
  const verdicts = new Map<string, Verdict>();
  const nameOf = new Map(drops.map((d) => [imageRef(siteKey(state), d.name), d.name]));
  const complete = new Promise<void>((resolve) => {
    client.on('message', (name, payload) => {
      if (name !== topic.verdict) return;
      const verdict = verdictSchema.parse(JSON.parse(payload.toString()));
      const file = nameOf.get(verdict.image.ref);
      print(line(verdict, file ?? 'your own file'));
      if (file !== undefined) verdicts.set(file, verdict);
      if (verdicts.size === drops.length) resolve();
    });
  });
  for (const { name, seed, flaw } of drops) {
    const half = path.join(captures, `.${name}`);
    await writeFile(half, await drawPhantom(seed, flaw));
    await rename(half, path.join(captures, name));
  }
  await withDeadline(complete, 60_000, () => `only ${verdicts.size} of ${drops.length} verdicts arrived`);

  const missed = drops.filter((d) => d.flaw !== undefined && verdicts.get(d.name)?.verdict !== 'review');
  const falseAlarms = drops.filter((d) => d.flaw === undefined && verdicts.get(d.name)?.verdict !== 'pass');
  await picture(
    drops.map((d) => ({ file: path.join(captures, d.name), verdict: verdicts.get(d.name)!.verdict })),
  );

  heading('5. Where to look');
  print(
    `All ${drops.length} captures got their verdict: ${FLAWS.length - missed.length} of ${FLAWS.length} spoiled ones are called for review, ${falseAlarms.length} of ${drops.length - FLAWS.length} good ones too.`,
  );
  print(`Report:  ${path.join(run, 'report.html')}`);
  print(`Picture: ${path.join(folder, 'demo.png')}`);
  if (values.once) {
    if (missed.length > 0)
      throw new Error(`Expected review for ${missed.map((d) => d.name).join(', ')}, got pass.`);
    if (falseAlarms.length > 2)
      throw new Error(
        `${falseAlarms.length} of ${drops.length - FLAWS.length} good captures were called for review; about 5 % were promised.`,
      );
  } else {
    print(`\nDrop images of your own into ${captures}, or end with Ctrl-C.`);
    await agentEnded;
  }
  await client.endAsync();
  agent.kill('SIGTERM');
  await agentEnded;
}

function start(program: 'agent' | 'trainer', args: string[]): ChildProcess {
  print(
    styleText(
      'dim',
      `$ npx ${program} ${args.map((a) => (path.isAbsolute(a) ? path.relative(root, a) : a)).join(' ')}`,
    ),
  );
  const child = spawn(path.join(root, 'node_modules/.bin', program), args, {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  children.add(child);
  return child;
}

/** Settles when the process ends: 0, or SIGTERM as this program sends it. */
async function finished(child: ChildProcess): Promise<void> {
  const [code, signal] = await once(child, 'exit');
  children.delete(child);
  if (code !== 0 && signal !== 'SIGTERM') throw new Error(`${child.spawnfile} ended with ${code ?? signal}.`);
}

async function subscribe(port: number, names: string[]): Promise<mqtt.MqttClient> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 200 });
  const ready = new Promise<void>((resolve) => {
    client.on('message', (_, payload) => {
      if (JSON.parse(payload.toString()).state === 'ready') resolve();
    });
  });
  await new Promise((resolve) => client.once('connect', resolve));
  await client.subscribeAsync(names, { qos: 1 });
  await ready;
  return client;
}

async function picture(shown: { file: string; verdict: Verdict['verdict'] }[]): Promise<void> {
  const limits = { pixels: 1e7, bytes: 1e7 };
  const inspector = await loadInspector({ bundlePath: bundle, executionProvider: 'cpu', threads: 1, limits });
  await writeFile(path.join(folder, 'demo.png'), await drawPicture(inspector, shown));
  await inspector.close();
}

async function withDeadline(work: Promise<void>, milliseconds: number, message: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), milliseconds);
  });
  await Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}

function line(verdict: Verdict, name: string): string {
  const colour = { pass: 'green', review: 'yellow', unscorable: 'red' } as const;
  const score =
    verdict.score === null
      ? verdict.reason
      : `score ${verdict.score.toFixed(1)}, threshold ${verdict.threshold.value.toFixed(1)}, p ${verdict.p?.toFixed(3)}`;
  const why = verdict.verdict === 'review' ? (verdict.evidence ?? []).slice(0, SENTENCES) : [];
  return [
    `${styleText(colour[verdict.verdict], verdict.verdict.padEnd(10))} ${name.padEnd(22)} ${score}`,
    ...why.map(({ sentence }) => styleText('dim', `             ${sentence}`)),
  ].join('\n');
}

function heading(text: string): void {
  print(`\n${styleText('bold', text)}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
