/** Does every capture become exactly one verdict at a dashboard? In peace, and with the agent killed every second. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Verdict } from '../config/verdict.ts';
import { drawPhantom, FLAWS } from '../test/demo/phantoms.ts';
import { startAgent } from '../test/support/agent.ts';
import type { Bench } from './bench.ts';
import { type Dashboard, needMosquitto, openDashboard, startMosquitto } from './delivery/mosquitto.ts';
import { trainFundus } from './trained.ts';

const SHARED = path.join(import.meta.dirname, '../../shared/data/fundus');
/** Seconds after the last copy in which everything must have arrived. */
const PATIENCE = 60;

export const delivery: Bench = {
  name: 'delivery',
  title: 'captures against verdicts at a Mosquitto dashboard, in peace and under SIGKILL',
  async run({ report }) {
    needMosquitto();
    const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-delivery-'));
    try {
      const files = await captures(folder);
      report('training the fundus network for one epoch on phantoms\n');
      const bundle = await trainFundus(folder);
      const rows: (string | number)[][] = [];
      for (const fire of [false, true]) {
        report(
          `${files.length} captures, ${fire ? 'agent killed every second, broker restarted twice' : 'in peace'}\n`,
        );
        rows.push(await once(folder, bundle, files, fire));
      }
      return [
        {
          title: 'Captures copied in while the agent runs, and what the dashboard has',
          columns: [
            '',
            'captures',
            'messages',
            'distinct ids',
            'missing',
            'invalid',
            'ids of one capture',
            'kills',
            'broker restarts',
          ],
          rows,
          notes: [
            `Captures: ${existsSync(SHARED) ? 'test images of the fundus set' : 'drawn phantoms'}, one every 120 ms.`,
            'Broker: Mosquitto with persistence; dashboard: mosquitto_sub with a persistent session, MQTT 5, QoS 1.',
            'Missing: captures without a verdict. Invalid: against config/schemas/verdict.schema.json. Ids of one capture: most distinct ids for one image.ref; 1 is right.',
          ],
        },
      ];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function once(
  folder: string,
  bundle: string,
  files: readonly string[],
  fire: boolean,
): Promise<(string | number)[]> {
  const place = await mkdtemp(path.join(folder, 'place-'));
  const watch = path.join(place, 'captures');
  await mkdir(watch);
  const broker = await startMosquitto(place);
  const dashboard = await openDashboard(broker.url);
  const args = [
    'run',
    '--bundle',
    bundle,
    '--watch',
    watch,
    '--state',
    path.join(place, 'state'),
    '--broker',
    broker.url,
    '--log-level',
    'error',
  ];
  let agent = startAgent(args);
  let kills = 0;
  let restarts = 0;
  let copying = true;
  const killing = (async () => {
    while (fire && copying) {
      await delay(1000);
      agent.child.kill('SIGKILL');
      await agent.ended;
      kills += 1;
      agent = startAgent(args);
    }
  })();
  for (const [i, file] of files.entries()) {
    await copyFile(file, path.join(watch, path.basename(file)));
    await delay(120);
    if (fire && (i === Math.floor(files.length / 3) || i === Math.floor((2 * files.length) / 3))) {
      await broker.restart();
      restarts += 1;
    }
  }
  copying = false;
  await killing;
  const deadline = performance.now() + PATIENCE * 1000;
  while (verdictsOf(dashboard).refs.size < files.length && performance.now() < deadline) await delay(100);
  await delay(2000); // for messages that should not come
  agent.child.kill('SIGTERM');
  await agent.ended;
  const { count, ids, refs, invalid } = await check(dashboard);
  await dashboard.close();
  await broker.close();
  const idsOfOne = Math.max(...[...refs.values()].map((set) => set.size));
  return [
    fire ? 'under fire' : 'in peace',
    files.length,
    count,
    ids.size,
    files.length - refs.size,
    invalid,
    idsOfOne,
    kills,
    restarts,
  ];
}

function verdictsOf(dashboard: Dashboard) {
  const verdicts = dashboard.messages
    .filter((m) => m.topic.endsWith('/verdict'))
    .map((m) => JSON.parse(m.payload) as Verdict);
  const ids = new Set(verdicts.map((v) => v.id));
  const refs = new Map<string, Set<string>>();
  for (const { id, image } of verdicts) refs.set(image.ref, (refs.get(image.ref) ?? new Set()).add(id));
  return { verdicts, ids, refs };
}

async function check(dashboard: Dashboard) {
  const schema = JSON.parse(
    await readFile(new URL('../config/schemas/verdict.schema.json', import.meta.url), 'utf8'),
  );
  const valid = new Ajv2020({ validateFormats: false }).compile(schema);
  const { verdicts, ids, refs } = verdictsOf(dashboard);
  return { count: verdicts.length, ids, refs, invalid: verdicts.filter((v) => !valid(v)).length };
}

/** Real test images where they are at hand, else as many phantoms. */
async function captures(folder: string): Promise<string[]> {
  if (existsSync(SHARED)) {
    const groups = await Promise.all(
      ['test_good', 'test_anomalous'].map(async (name) =>
        (await readdir(path.join(SHARED, name))).map((file) => path.join(SHARED, name, file)),
      ),
    );
    return groups.flat();
  }
  const drawn = path.join(folder, 'drawn');
  await mkdir(drawn);
  return Promise.all(
    Array.from({ length: 84 }, async (_, i) => {
      const file = path.join(drawn, `${i}.jpg`);
      await writeFile(file, await drawPhantom(i, i % 3 === 0 ? FLAWS[i % FLAWS.length] : undefined));
      return file;
    }),
  );
}
