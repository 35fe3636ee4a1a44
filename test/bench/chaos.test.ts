/** A small `npm run bench -- chaos`: the same script, faults and oracle, with aedes instead of Mosquitto. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runChaos } from '../../bench/chaos/run.ts';
import { openAedesSite } from '../../bench/chaos/site.ts';
import { makeTestBundle } from '../support/bundle.ts';

test('no capture is lost, and none gets two ids, while agent, scorer, broker and network fail', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-chaos-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const site = await openAedesSite();
  t.after(() => site.close());
  const { written, findings, crashes } = await runChaos({
    seed: 1,
    captures: 60,
    agentKills: 3,
    scorerKills: 3,
    brokerRestarts: 1,
    networkCuts: 2,
    folder,
    bundle: (await makeTestBundle(folder)).path,
    site,
    naive: false,
    patience: 60,
    report: () => {},
  });
  assert.ok(written >= 60);
  const { lost, duplicated, unacknowledged, unrecorded } = findings;
  assert.deepEqual(
    { lost, duplicated, unacknowledged, unrecorded, crashes },
    { lost: [], duplicated: [], unacknowledged: [], unrecorded: [], crashes: [] },
  );
});
