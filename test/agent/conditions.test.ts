import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trackConditions } from '../../agent/conditions.ts';
import { degradedMessage, missingMessage } from '../../agent/ingest/conditions.ts';
import { listeningLog } from './brokerFixture.ts';

test('a condition is logged when it begins and ends, told at each change, and kept for a late listener', async () => {
  const { log, lines } = listeningLog();
  const conditions = trackConditions(log);
  const first = conditions.until(['disk-full', 'watch-missing']);
  conditions.set('disk-full', null);
  conditions.set('watch-degraded', 'no events');
  conditions.set('disk-full', '2 MiB free');
  assert.equal(await first, '2 MiB free');
  const told: string[] = [];
  conditions.tell({
    raise: (code, message) => told.push(`${code}: ${message}`),
    clear: (code) => told.push(`${code} over`),
  });
  conditions.set('disk-full', '1 MiB free');
  conditions.set('disk-full', '1 MiB free');
  assert.ok(conditions.has('disk-full'));
  conditions.set('disk-full', null);
  assert.deepEqual(told, [
    'watch-degraded: no events',
    'disk-full: 2 MiB free',
    'disk-full: 1 MiB free',
    'disk-full over',
  ]);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ condition, msg }) => [condition, msg]),
    [
      ['watch-degraded', 'no events'],
      ['disk-full', '2 MiB free'],
      ['disk-full', 'over'],
    ],
  );
});

test('what an operator reads of a folder names the remedy of that very error', () => {
  assert.match(missingMessage('EACCES'), /cannot be read \(EACCES\)\. Check its permissions;/);
  assert.match(missingMessage('EMFILE'), /Raise the limit of open files/);
  assert.match(missingMessage('ENOENT'), /is not there \(ENOENT\)\. Create or mount it;/);
  assert.match(degradedMessage(null, 'EMFILE', 60_000) ?? '', /Raise the limit of open files/);
  assert.equal(degradedMessage(null, null, 60_000), null);
});
