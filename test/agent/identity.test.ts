/** The site key, and the ids and refs that follow from it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { imageRef, siteKey, verdictId } from '../../agent/deliver/identity.ts';
import { capture, DEVICE, KEY } from './verdictFixture.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ledger-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('the site key is made once, private, and never replaced', (t) => {
  const state = folder(t);
  const key = siteKey(state);
  assert.equal(key.length, 32);
  assert.deepEqual(siteKey(state), key);
  assert.notDeepEqual(siteKey(folder(t)), key);
  assert.equal(statSync(join(state, 'site.key')).mode & 0o777, 0o600);
  const damaged = folder(t);
  writeFileSync(join(damaged, 'site.key'), 'short');
  assert.throws(() => siteKey(damaged), /5 bytes, expected 32/);
});

test('ids and refs follow from key, device, capture and what is said of it alone, and differ when any of them does', () => {
  const base = capture('a/b.png');
  const said = { revision: 1, verdict: 'review', reason: 'above-threshold', score: 0.1, model: 'a' } as const;
  const id = verdictId(KEY, DEVICE, base, said);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(verdictId(Buffer.from(KEY), DEVICE, { ...base }, { ...said }), id);
  const others = [
    verdictId(Buffer.alloc(32, 8), DEVICE, base, said),
    verdictId(KEY, 'camera-2', base, said),
    verdictId(KEY, DEVICE, { ...base, name: 'a/c.png' }, said),
    verdictId(KEY, DEVICE, { ...base, size: 1235 }, said),
    verdictId(KEY, DEVICE, { ...base, modifiedNanoseconds: base.modifiedNanoseconds + 1n }, said),
    verdictId(KEY, DEVICE, { ...base, kind: 'unreadable' }, said),
    verdictId(KEY, DEVICE, { ...base, frame: 2 }, said),
    verdictId(KEY, DEVICE, { ...base, frame: 3 }, said),
    verdictId(KEY, DEVICE, base, { ...said, revision: 2 }),
    verdictId(KEY, DEVICE, base, { ...said, verdict: 'pass', reason: null }),
    verdictId(KEY, DEVICE, base, { ...said, reason: 'below-threshold' }),
    verdictId(KEY, DEVICE, base, { ...said, score: 0.1 + Number.EPSILON }),
    verdictId(KEY, DEVICE, base, { ...said, model: 'b' }),
  ];
  assert.equal(new Set([id, ...others]).size, 14);
  assert.match(imageRef(KEY, 'a/b.png'), /^[0-9a-f]{32}$/);
  assert.notEqual(imageRef(KEY, 'a/b.png'), imageRef(KEY, 'a/c.png'));
});
