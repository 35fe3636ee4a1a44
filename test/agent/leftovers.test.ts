import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { endLeftovers, writeDownScorers } from '../../agent/scorers/leftovers.ts';
import { temporaryFolder } from './brokerFixture.ts';

const skip = process.platform === 'linux' ? false : 'needs /proc';

test('a stopped process that was written down is ended, one that took over a number is not', {
  skip,
}, async (t) => {
  const state = temporaryFolder(t);
  const script = 'process.stdout.write("up"); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  writeDownScorers(state, [child.pid!, 2 ** 22 + 1]);
  const file = path.join(state, 'scorers.json');
  const written = readFileSync(file, 'utf8');
  assert.equal(JSON.parse(written).length, 1, 'what does not run is left out');

  writeFileSync(file, written.replace(/\/\d+"/, '/1"')); // the same number, but another start
  assert.deepEqual(endLeftovers(state), []);
  assert.equal(existsSync(file), false);

  writeFileSync(file, written);
  child.kill('SIGSTOP');
  const ended = once(child, 'exit');
  assert.deepEqual(endLeftovers(state), [child.pid]);
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  writeFileSync(file, written);
  assert.deepEqual(endLeftovers(state), [], 'gone already');
});

test('no list, or one that is none, ends nothing', (t) => {
  const state = temporaryFolder(t);
  assert.deepEqual(endLeftovers(state), []);
  for (const text of ['', '{}', '[{"pid":-1,"identity":"x"}]', '[{"pid":0,"identity":"x"}]']) {
    writeFileSync(path.join(state, 'scorers.json'), text);
    assert.deepEqual(endLeftovers(state), []);
  }
  writeDownScorers(path.join(state, 'none'), [process.pid]); // harmless
});
