/** A small `npm run bench -- hostile`: the same files, limits and comparison. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runHostile } from '../../bench/hostile/run.ts';
import { makeTestBundle } from '../support/bundle.ts';

test('damaged files, bombs and polyglots end no agent, and none passes that a decoder rejects', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-hostile-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const bundle = (await makeTestBundle(folder)).path;
  const outcome = await runHostile({ seed: 2, files: 150, folder, bundle, report: () => {} });
  const { crash, verdicts, surplus, wrong, overLimits, words } = outcome;
  assert.deepEqual(
    { crash, verdicts, surplus, overLimits },
    { crash: null, verdicts: 150, surplus: 0, overLimits: [] },
  );
  assert.deepEqual(
    wrong.filter((one) => one.includes(': pass,')),
    [],
  );
  // Else nothing was shown: some are still images, most are not.
  assert.ok((words.pass ?? 0) + (words.review ?? 0) > 0 && (words.unscorable ?? 0) > 0);
});
