/** A ledger whose bytes are no longer those that were written: set aside, made anew, and no capture forgotten. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { type Ledger, openLedger } from '../../agent/deliver/ledger.ts';
import type { StoredThreshold } from '../../agent/deliver/ledgerThresholds.ts';
import { runAgent, startAgent } from '../support/agent.ts';
import { startBroker, subscribe } from '../support/broker.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

const CAPTURES = 200;
/** Every fourth waits for the broker. */
const waits = (i: number) => i % 4 === 0;
const name = (i: number) => `captures of a whole day/c${i}`;
const THRESHOLD: StoredThreshold = {
  threshold: { rule: { rule: 'fixed', value: 0.5 }, upper: 0.5, lower: null, revision: 1 },
  source: 'mqtt',
  bundle: 'sha256:0',
};

function folder(t: TestContext): string {
  const at = mkdtempSync(path.join(tmpdir(), 'ledger-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  return at;
}

/** Folders of an agent and a subscriber, and the arguments that make the agent use them. */
async function site(t: TestContext) {
  const at = folder(t);
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  const bundle = (await makeTestBundle(at)).path;
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  t.after(async () => {
    await dashboard.close();
    await broker.close();
  });
  mkdirSync(watch);
  const args = ['run', '--bundle', bundle, '--watch', watch, '--state', state, '--broker', broker.url];
  return { watch, state, args, dashboard };
}

/** Writes a ledger of `CAPTURES` verdicts; its file is one without a log. */
async function filled(state: string): Promise<string> {
  const ledger = await openLedger(state);
  ledger.thresholds.write({ revision: THRESHOLD });
  ledger.record(
    Array.from({ length: CAPTURES }, (_, i) => {
      const of = capture(name(i));
      return { capture: of, contentSha256: 'ab'.repeat(32), makeVerdict: verdictOn(of, 300) };
    }),
  );
  ledger.outbox.acknowledge(Array.from({ length: CAPTURES }, (_, i) => (waits(i) ? 0 : i + 1)));
  ledger.close();
  return path.join(state, 'ledger.sqlite');
}

/** Numbers of captures that are recorded; their ids are those of before, and those that waited still do. */
function recorded(ledger: Ledger): number[] {
  const kept = Array.from({ length: CAPTURES }, (_, i) => i).filter((i) =>
    ledger.isRecorded(capture(name(i))),
  );
  const waiting = new Map(ledger.outbox.after(0, 1000).map((w) => [w.seq, w.payload]));
  for (const i of kept) {
    const place = { seq: i + 1, revision: 1, supersedes: null };
    const expected = JSON.stringify(verdictOn(capture(name(i)), 300)(place));
    if (waits(i)) assert.equal(waiting.get(i + 1), expected);
  }
  const { verdicts } = ledger.outbox.size();
  assert.equal(verdicts, waiting.size);
  return kept;
}

test('a file that is no database any more is set aside as it is; captures are judged again with the same ids', async (t) => {
  const state = folder(t);
  const file = await filled(state);
  const rubbish = Buffer.alloc(20_000, 'no database ');
  writeFileSync(file, rubbish);
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  assert.equal(ledger.opening.rebuilt, true);
  const { setAside, verdicts, damage } = ledger.rebuilt!;
  assert.match(damage, /not a database/);
  assert.equal(verdicts, 0);
  assert.deepEqual(readFileSync(path.join(state, setAside, 'ledger.sqlite')), rubbish);
  assert.equal(statSync(path.join(state, setAside)).mode & 0o777, 0o700);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(recorded(ledger), []);
  const again = recordOne(ledger, capture(name(0)), null, verdictOn(capture(name(0)), 300));
  assert.equal(again!.seq, CAPTURES + 1001, 'some more than stand beside it may have been given');
  assert.equal(again!.id, verdictOn(capture(name(0)))({ seq: 1, revision: 1, supersedes: null }).id);
  const [{ gap } = assert.fail('no gap')] = ledger.gaps.unannounced();
  assert.deepEqual(
    [gap.first, gap.last, gap.verdicts, gap.reason],
    [1, again!.seq - 1, null, 'ledger-rebuilt'],
  );
});

test('what can be read is taken over: verdicts, what waits, the threshold', async (t) => {
  const state = folder(t);
  const file = await filled(state);
  const database = new DatabaseSync(file);
  const { rootpage, size } = database
    .prepare(
      "SELECT rootpage, page_size AS size FROM sqlite_schema, pragma_page_size WHERE name = 'payloads'",
    )
    .get() as { rootpage: number; size: number };
  database.close();
  const bytes = readFileSync(file);
  bytes.fill(0xff, (rootpage - 1) * size, rootpage * size);
  writeFileSync(file, bytes);

  const ledger = await openLedger(state);
  assert.deepEqual(ledger.rebuilt?.incomplete, ['payloads']);
  assert.deepEqual(ledger.thresholds.current(), THRESHOLD);
  const kept = Array.from({ length: CAPTURES }, (_, i) => i).filter((i) => !waits(i));
  assert.deepEqual(recorded(ledger), kept, 'what waited without its payload is judged again');
  assert.equal(recordOne(ledger, capture('new'), null, verdictOn(capture('new')))?.seq, CAPTURES + 1);
  const lost = (seq: number) => waits(seq - 1) && seq <= CAPTURES;
  const gaps = ledger.gaps.unannounced().map(({ gap }) => gap);
  for (let seq = 1; seq <= CAPTURES; seq++)
    if (lost(seq))
      assert.ok(
        gaps.some(({ first, last }) => first <= seq && seq <= last),
        `${seq}`,
      );
  assert.ok(gaps.length <= 16, `${gaps.length} gaps`);
  assert.ok(gaps.every(({ first, last }) => lost(first) && lost(last)));
  ledger.close();

  const next = await openLedger(state);
  t.after(() => next.close());
  assert.equal(next.opening.rebuilt, false, 'the new one is sound');
  assert.deepEqual(next.rebuilt, ledger.rebuilt, 'and remembers what happened');
});

test('whatever page is damaged: it opens, nothing is made up, and no number is given twice', async (t) => {
  const state = folder(t);
  const file = await filled(state);
  const sound = `${file}.sound`;
  copyFileSync(file, sound);
  const bytes = readFileSync(sound);
  const pages = bytes.length / 4096;
  let rebuilt = 0;
  for (let page = 0; page < pages; page += Math.ceil(pages / 20)) {
    const damaged = Buffer.from(bytes);
    damaged.fill(page % 2 === 0 ? 0 : 0xa5, page * 4096 + (page === 0 ? 24 : 0), (page + 1) * 4096);
    writeFileSync(file, damaged);
    const ledger = await openLedger(state);
    if (ledger.opening.rebuilt) rebuilt++;
    recorded(ledger);
    const of = capture(`after page ${page}`);
    assert.ok(recordOne(ledger, of, null, verdictOn(of))!.seq > CAPTURES, `page ${page}`);
    ledger.close();
  }
  assert.ok(rebuilt > 10, `${rebuilt} of ${pages} pages`);
});

test('the agent says what happened, judges what it has no verdict on, and goes on', {
  timeout: 60_000,
}, async (t) => {
  const { watch, state, args, dashboard } = await site(t);
  for (const seed of [1, 2, 3]) await writeCapture(path.join(watch, `${seed}.jpg`), 'smooth', seed);
  assert.equal((await runAgent([...args, '--once'])).code, 0);
  const ids = () =>
    dashboard.messages.filter((m) => m.topic.endsWith('/verdict')).map((m) => String(m.payload.id));
  await dashboard.settle(() => ids().length === 3);
  const before = ids();
  writeFileSync(path.join(state, 'ledger.sqlite'), 'rubbish'.repeat(1000));
  const { code, stdout } = await runAgent([...args, '--once']);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /"condition":"ledger-rebuilt".*It lies in damaged-\d+T/);
  await dashboard.settle(() => ids().length === 6);
  assert.deepEqual(new Set(ids().slice(3)), new Set(before));
  const info = dashboard.messages.findLast((m) => m.topic.endsWith('/info'))!.payload.ledger;
  assert.match(JSON.stringify(info), /"rebuiltAt":"20.*"setAside":"damaged-/);
  const alert = dashboard.messages.find((m) => m.topic.endsWith('/state') && m.payload.state === 'alert');
  assert.match(JSON.stringify(alert?.payload.alerts), /ledger-rebuilt/);
});

test('an older copy of the ledger: its numbers are not given twice, and an id never carries another verdict', async (t) => {
  const state = folder(t);
  const file = await filled(state);
  copyFileSync(file, `${file}.older`);
  let ledger = await openLedger(state);
  const later = capture('later.png');
  const first = recordOne(ledger, later, null, verdictOn(later))!;
  assert.equal(first.seq, CAPTURES + 1);
  ledger.close();

  for (const side of ['-wal', '-shm']) rmSync(file + side, { force: true });
  copyFileSync(`${file}.older`, file);
  ledger = await openLedger(state);
  assert.deepEqual(ledger.opening.missing, { first: CAPTURES + 1, last: CAPTURES + 1 });
  const [told] = ledger.gaps.unannounced();
  assert.deepEqual(
    [told!.gap.first, told!.gap.last, told!.gap.reason],
    [CAPTURES + 1, CAPTURES + 1, 'ledger-rebuilt'],
  );
  const again = recordOne(ledger, later, null, verdictOn(later))!;
  assert.deepEqual([again.seq, again.id], [CAPTURES + 2, first.id]);
  ledger.close();

  ledger = await openLedger(state);
  t.after(() => ledger.close());
  assert.equal(ledger.opening.missing, null, 'said once');
});

test('no number given twice by an emptied ledger; a damaged note of the highest number is as none', async (t) => {
  const state = folder(t);
  const file = await filled(state);
  writeFileSync(file, '');
  let ledger = await openLedger(state);
  assert.deepEqual(ledger.opening.missing, { first: 1, last: CAPTURES });
  const of = capture(name(0));
  assert.equal(recordOne(ledger, of, null, verdictOn(of))!.seq, CAPTURES + 1);
  ledger.close();
  for (const [i, damage] of ['rubbish '.repeat(10), '9007199254740993'].entries()) {
    writeFileSync(path.join(state, 'seq'), damage);
    ledger = await openLedger(state);
    assert.equal(ledger.opening.missing, null);
    const other = capture(name(i + 1));
    assert.equal(recordOne(ledger, other, null, verdictOn(other))!.seq, CAPTURES + 2 + i);
    ledger.close();
    assert.equal(readFileSync(path.join(state, 'seq'), 'utf8').trim(), `${CAPTURES + 2 + i}`);
  }
});

for (const file of ['ledger.sqlite', 'ledger.sqlite-wal'])
  test(`${file} taken away while it is open is noticed; a state folder that is away is not one`, async (t) => {
    const state = folder(t);
    const ledger = await openLedger(state);
    t.after(() => ledger.close());
    const of = capture(name(0));
    recordOne(ledger, of, null, verdictOn(of));
    ledger.requireInPlace();
    renameSync(state, `${state}.away`);
    ledger.requireInPlace();
    renameSync(`${state}.away`, state);
    rmSync(path.join(state, file));
    assert.throws(() => ledger.requireInPlace(), /was deleted or replaced under the running agent/);
  });

test('taken away while the agent runs: it ends and says so, and at its next start nothing is missing', {
  timeout: 60_000,
}, async (t) => {
  const { watch, state, args, dashboard } = await site(t);
  await writeCapture(path.join(watch, '1.jpg'), 'smooth', 1);
  const agent = startAgent(args);
  const verdicts = () => dashboard.messages.filter((m) => m.topic.endsWith('/verdict'));
  await dashboard.settle(() => verdicts().length === 1);
  rmSync(path.join(state, 'ledger.sqlite'));
  assert.equal(await agent.ended, 1);
  assert.match(
    agent.output(),
    /, or its log beside it, was deleted or replaced under the running agent. Start the agent again/,
  );
  assert.equal((await runAgent([...args, '--once'])).code, 0);
  await dashboard.settle(() => verdicts().length === 2);
  const [first, second] = verdicts().map((m) => m.payload);
  assert.deepEqual([second?.id, second?.seq], [first?.id, 2]);
});
