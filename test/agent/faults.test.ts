/** The agent ends itself at every place where the state of a capture changes; nothing is lost at any of them. */
import assert from 'node:assert/strict';
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { runCommand } from '../../agent/commands.ts';
import { MIGRATIONS } from '../../agent/deliver/schema.ts';
import { TRANSITIONS, type Transition } from '../../agent/deliver/transaction.ts';
import { type FaultPointName, STEPS } from '../../agent/faultPoints.ts';
import { runAgent } from '../support/agent.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { startBroker } from './brokerFixture.ts';
import { endsAt } from './faultingAgentFixture.ts';

const ROOT = path.join(import.meta.dirname, '../..');

/** A file on its way: complete, queued, scored, committed, sent, acknowledged, its acknowledgement committed, pruned. */
const WAY = [
  'threshold:uncommitted',
  'threshold:committed',
  'settled',
  'inspected',
  'record:uncommitted',
  'record:committed',
  'sent',
  'taken',
  'acknowledge:uncommitted',
  'acknowledge:committed',
] as const;
/** Verdicts that the broker has lose their message. */
const PRUNED = ['prune:uncommitted', 'prune:committed'] as const;
/** A capture that was unscorable is wanted again; its second verdict goes the way of the first. */
const WANTED = ['ask:uncommitted', 'ask:committed'] as const;
const AGAIN = ['inspected', 'record:uncommitted', 'record:committed', 'sent'] as const;
/** Too much waits: dropped. Then the broker is back: announced. */
const DROPPED = ['drop:uncommitted', 'drop:committed'] as const;
const ANNOUNCED = ['gap-sent', 'announce:uncommitted', 'announce:committed'] as const;
/** A ledger of version 1 becomes one of today. */
const MIGRATED = ['backed-up', 'migrate:uncommitted', 'migrate:committed'] as const;
/** A damaged ledger is set aside and made anew. */
const REBUILT = ['set-aside', 'take-over:uncommitted', 'take-over:committed', 'taken-over'] as const;
/** A ledger that somebody deleted: its numbers are passed over. */
const DELETED = ['pass-over:uncommitted', 'pass-over:committed'] as const;

function folder(t: TestContext): string {
  const at = mkdtempSync(path.join(tmpdir(), 'plumbline-faults-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  return at;
}

/** An agent's folders, a broker, and the agent, to be run to its end or to a fault. */
async function place(t: TestContext) {
  const at = folder(t);
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  mkdirSync(watch);
  mkdirSync(state);
  const ledger = path.join(state, 'ledger.sqlite');
  const bundle = (await makeTestBundle(at)).path;
  const uncommitted: unknown[] = [];
  const broker = await startBroker(t, {
    authorizePublish: (_, packet, done) => {
      if (packet.topic.endsWith('/verdict')) {
        const { id } = JSON.parse(packet.payload.toString());
        const database = new DatabaseSync(ledger, { readOnly: true, timeout: 5000 });
        if (database.prepare('SELECT 1 FROM verdicts WHERE id = ?').get(id) === undefined)
          uncommitted.push(id);
        database.close();
      }
      done();
    },
  });
  let files = 0;
  const places = ['--watch', watch, '--state', state];
  const args = ['run', '--once', '--bundle', bundle, '--broker', broker.url, ...places];
  return {
    state,
    ledger,
    broker,
    places,
    /** Verdicts that the broker had of another process before the ledger held them. */
    uncommitted,
    /** A file that cannot be scored: the way is the same, and shorter. */
    drop() {
      const half = path.join(watch, '.half');
      writeFileSync(half, `no picture ${files}`);
      utimesSync(half, 1e9, 1e9 + files);
      renameSync(half, path.join(watch, `${files++}.jpg`));
    },
    dies: (point: FaultPointName, command: readonly string[] = args) => endsAt(point, 1, command),
    args,
    async ends() {
      const { code, stdout, stderr } = await runAgent(args);
      assert.equal(code, 0, stdout + stderr);
    },
    /** One record for each file, each acknowledged or announced as dropped, one id for each. */
    async proven(t: { readonly dropped: boolean }) {
      let said = '';
      const code = await runCommand(['ledger', 'verify', ...places], {
        environment: {},
        onTerminal: false,
        print: (line) => {
          said += `${line}\n`;
        },
        printError: (text) => {
          said += text;
        },
        takeSignals: () => new AbortController().signal,
        dropSecrets: () => {},
      });
      assert.equal(code, 0, said);
      assert.match(said, new RegExp(`folder.*: ${files} files, each has one record`));
      assert.match(said, / 0 waiting/);
      const database = new DatabaseSync(ledger, { readOnly: true });
      const rows = database.prepare('SELECT id, capture, revision FROM verdicts').all();
      const gaps = database.prepare('SELECT first, last, announced_ms FROM gaps').all();
      database.close();
      const received = new Set(broker.verdicts().map(({ id }) => id));
      if (!t.dropped) assert.deepEqual(received, new Set(rows.map(({ id }) => id)));
      for (const gap of gaps) assert.notEqual(gap.announced_ms, null);
      const kept = new Map<string, string>();
      for (const { image, revision, id } of broker.verdicts()) {
        const key = `${image.ref} ${revision}`;
        assert.equal(kept.get(key) ?? id, id, 'one id per verdict, however often it came');
        kept.set(key, id);
      }
      assert.deepEqual(uncommitted, [], 'published before it was committed');
      return rows;
    },
  };
}

test('every transition of the ledger and every step between is a place where the agent is killed', () => {
  const killed = new Set<string>(
    [WAY, PRUNED, WANTED, AGAIN, DROPPED, ANNOUNCED, MIGRATED, REBUILT, DELETED].flat(),
  );
  const transitions = Object.keys(TRANSITIONS) as Transition[];
  const points = [
    ...Object.keys(STEPS),
    ...transitions.flatMap((name) => [`${name}:uncommitted`, `${name}:committed`]),
  ];
  assert.deepEqual([...killed].sort(), points.sort());

  const sources = globSync('agent/**/*.ts', { cwd: ROOT, exclude: (name) => name === 'node_modules' }).map(
    (file) => ({ file, text: readFileSync(path.join(ROOT, file), 'utf8') }),
  );
  const used = sources.map(({ text }) => text).join('\n');
  for (const name of Object.keys(STEPS)) assert.ok(used.includes(`aultPoint('${name}')`), name);
  for (const name of transitions)
    assert.match(
      used,
      new RegExp(`transaction\\(\\s*(connection|\\{ database, faultPoint \\}),\\s*'${name}'`),
      name,
    );
  assert.deepEqual(
    sources
      .filter(({ text }) => /exec\('(BEGIN|COMMIT)/.test(text))
      .map(({ file }) => file)
      .sort(),
    ['agent/deliver/lock.ts', 'agent/deliver/transaction.ts'],
    'nothing else begins a transaction',
  );
});

test('killed anywhere on the way of a capture: one record, one id, and the broker has it', {
  timeout: 600_000,
}, async (t) => {
  const { drop, dies, ends, proven } = await place(t);
  for (const point of WAY) {
    drop();
    await dies(point);
  }
  await ends();
  assert.equal((await proven({ dropped: false })).length, WAY.length);
});

test('killed while old verdicts are pruned, or judged again on request: one verdict for one wish', {
  timeout: 600_000,
}, async (t) => {
  const { drop, dies, ends, proven, args, places } = await place(t);
  for (let i = 0; i < 3; i++) drop();
  await ends();
  for (const point of PRUNED) await dies(point, [...args, '--ledger-age', '1e-9']);
  for (const point of WANTED) await dies(point, ['retry', ...places]);
  for (const point of AGAIN) await dies(point);
  await ends();
  const rows = await proven({ dropped: false });
  assert.deepEqual(rows.map(({ revision }) => revision).sort(), [1, 1, 1, 2, 2, 2]);
});

test('killed while verdicts are dropped and the gap is announced: each is delivered or announced', {
  timeout: 600_000,
}, async (t) => {
  const { drop, dies, ends, proven, args, broker } = await place(t);
  for (let i = 0; i < 3; i++) drop();
  const small = [...args, '--outbox-bytes', '1'];
  for (const point of DROPPED) await dies(point, [...small, '--broker', 'mqtt://127.0.0.1:9']);
  for (const point of ANNOUNCED) await dies(point, small);
  await ends();
  const rows = await proven({ dropped: true });
  const gaps = broker.received.filter(({ what }) => what === 'gap').map(({ payload }) => JSON.parse(payload));
  assert.ok(gaps.length > 0);
  const received = new Set(broker.verdicts().map(({ seq }) => seq));
  for (let seq = 1; seq <= rows.length; seq++)
    assert.ok(received.has(seq) || gaps.some(({ first, last }) => first <= seq && seq <= last), `${seq}`);
});

test('killed while the ledger is migrated: it becomes one of today, with all that it held', {
  timeout: 600_000,
}, async (t) => {
  const { drop, dies, ends, proven, ledger } = await place(t);
  const old = new DatabaseSync(ledger);
  old.exec(`${MIGRATIONS[0]}; PRAGMA application_id = ${0x504c4d42}; PRAGMA user_version = 1`);
  old.exec("INSERT INTO facts VALUES ('remembered', '1')");
  old.close();
  drop();
  for (const point of MIGRATED) await dies(point);
  await ends();
  await proven({ dropped: false });
  const database = new DatabaseSync(ledger, { readOnly: true });
  assert.equal(database.prepare("SELECT count(*) AS n FROM facts WHERE key = 'remembered'").get()?.n, 1);
  database.close();
});

test('killed while a damaged ledger is made anew: every capture is judged again, under the id that it had', {
  timeout: 600_000,
}, async (t) => {
  const { drop, dies, ends, proven, ledger, broker } = await place(t);
  for (let i = 0; i < 3; i++) drop();
  await ends();
  const before = new Set(broker.verdicts().map(({ id }) => id));
  writeFileSync(ledger, 'rubbish'.repeat(1000));
  for (const point of REBUILT) await dies(point);
  await ends();
  await proven({ dropped: false });
  assert.deepEqual(new Set(broker.verdicts().map(({ id }) => id)), before);
});

test('while the numbers of a deleted ledger are passed over: none is given twice, and the gap is announced', async (t) => {
  const { state, broker, drop, dies, ends, proven } = await place(t);
  for (let i = 0; i < 3; i++) drop();
  await ends();
  const before = broker.verdicts().map(({ id, seq }) => ({ id, seq }));
  for (const side of ['', '-wal', '-shm']) rmSync(path.join(state, `ledger.sqlite${side}`), { force: true });
  for (const point of DELETED) await dies(point);
  await ends();
  await proven({ dropped: false });
  const after = broker.verdicts().slice(before.length);
  assert.deepEqual(new Set(after.map(({ id }) => id)), new Set(before.map(({ id }) => id)));
  assert.deepEqual(after.map(({ seq }) => seq).sort(), before.map(({ seq }) => seq + 3).sort());
});
