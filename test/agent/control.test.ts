import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { answerDesired } from '../../agent/control/desired.ts';
import { watchSettingsFile } from '../../agent/control/settingsFile.ts';
import { openThresholds, type ThresholdsOptions } from '../../agent/control/thresholds.ts';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { readSettings } from '../../config/settings.ts';
import type { ThresholdRule } from '../../config/threshold.ts';
import { type Reported, reported as reportedSchema } from '../../config/topics.ts';
import { listeningLog, temporaryFolder } from './brokerFixture.ts';

const OFFERED: ThresholdRule = { rule: 'conformal', alpha: 0.1 };
const QUANTILE: ThresholdRule = { rule: 'quantile', q: 0.5 };
const IMPOSSIBLE: ThresholdRule = { rule: 'conformal', alpha: 0.001 };
const fixed = (value: number): ThresholdRule => ({ rule: 'fixed', value });

/** A bundle calibrated on 1, 2, ... n; its own threshold is conformal 10 %. */
function bundle(letter = 'a', n = 99): ThresholdsOptions['manifest'] {
  const scores = Array.from({ length: n }, (_, i) => i + 1);
  return {
    digest: `sha256:${letter.repeat(64)}`,
    threshold: { rule: OFFERED, upper: n - Math.floor(0.1 * (n + 1)) + 1, lower: null, revision: 1 },
    calibration: { scores, mapAlarm: 1 },
  };
}

/** Opens the thresholds of a state folder as a start of the agent does; `end` closes the ledger. */
async function start(state: string, settingsRule: ThresholdRule | null = null, manifest = bundle()) {
  const ledger = await openLedger(state);
  const { log, lines } = listeningLog();
  const opened = openThresholds({ ledger: ledger.thresholds, manifest, settingsRule, log });
  const say = (message: unknown) => answerDesired(Buffer.from(JSON.stringify(message)), opened.thresholds);
  return { ...opened, say, log, lines, end: () => ledger.close() };
}

const short = (r: Reported | null) =>
  r && [r.outcome, r.id, r.source, r.threshold.revision, r.threshold.upper];

test('the first start takes the threshold of the bundle as revision 1; later ones keep what is in force', async (t) => {
  const state = temporaryFolder(t);
  const first = await start(state);
  assert.equal(first.started, null);
  assert.deepEqual(first.thresholds.current(), bundle().threshold);
  first.end();
  const second = await start(state);
  assert.equal(second.started, null);
  assert.deepEqual(second.thresholds.current(), bundle().threshold);
  second.end();
});

test('a desired rule gives bounds from the calibration scores, a revision, and survives a restart', async (t) => {
  const state = temporaryFolder(t);
  const first = await start(state);
  const answer = first.say({ id: 'd1', threshold: QUANTILE });
  assert.deepEqual(short(answer), ['applied', 'd1', 'mqtt', 2, 50]);
  assert.ok(reportedSchema.safeParse(answer).success);
  assert.deepEqual(first.thresholds.current(), { rule: QUANTILE, upper: 50, lower: null, revision: 2 });
  assert.deepEqual(short(first.say({ id: 'd2', threshold: QUANTILE })), ['unchanged', 'd2', 'mqtt', 2, 50]);
  first.end();
  const second = await start(state);
  assert.equal(second.started, null);
  assert.deepEqual(second.thresholds.current(), { rule: QUANTILE, upper: 50, lower: null, revision: 2 });
  second.end();
});

test('a rule that cannot be had is refused with the smallest possible alpha, and the old one stays', async (t) => {
  const { thresholds, say, end } = await start(temporaryFolder(t));
  const before = thresholds.current();
  const answer = say({ id: 'd1', threshold: IMPOSSIBLE });
  assert.deepEqual(short(answer), ['refused', 'd1', 'mqtt', 1, before.upper]);
  assert.match(
    answer?.reason ?? '',
    /alpha 0\.001 cannot be had from 99 calibration scores: the smallest possible is 0\.01/,
  );
  assert.equal(thresholds.current(), before);
  const again = say({ id: 'd1', threshold: IMPOSSIBLE });
  assert.deepEqual([short(again), again?.reason], [short(answer), answer?.reason], 'answered alike again');
  end();
});

test('desired settings that were answered before change nothing, after a newer change and a restart neither', async (t) => {
  const state = temporaryFolder(t);
  const first = await start(state);
  first.say({ id: 'd1', threshold: fixed(7) });
  assert.deepEqual(short(first.say({ id: 'd1', threshold: fixed(7) })), ['unchanged', 'd1', 'mqtt', 2, 7]);
  assert.deepEqual(short(first.thresholds.applySettings(fixed(8))), ['applied', null, 'file', 3, 8]);
  const repeat = first.say({ id: 'd1', threshold: fixed(7) });
  assert.deepEqual(short(repeat), ['unchanged', 'd1', 'mqtt', 3, 8]);
  assert.match(repeat?.reason ?? '', /newer change holds.*new id/);
  first.end();
  const second = await start(state, fixed(8));
  assert.deepEqual(short(second.say({ id: 'd1', threshold: fixed(7) })), ['unchanged', 'd1', 'mqtt', 3, 8]);
  assert.deepEqual(short(second.say({ id: 'd2', threshold: fixed(7) })), ['applied', 'd2', 'mqtt', 4, 7]);
  assert.deepEqual(
    short(second.say({ id: 'd2', threshold: fixed(9) })),
    ['applied', 'd2', 'mqtt', 5, 9],
    'the same id with another rule is another wish',
  );
  second.end();
});

test('a rule in the settings is taken over when it was edited, and only then', async (t) => {
  const state = temporaryFolder(t);
  const run = async (rule: ThresholdRule | null, desired?: unknown) => {
    const agent = await start(state, rule);
    if (desired !== undefined) agent.say(desired);
    agent.end();
    return [agent.started && short(agent.started), agent.thresholds.current().upper];
  };
  assert.deepEqual(await run(fixed(5)), [['applied', null, 'file', 2, 5], 5], 'first start');
  assert.deepEqual(await run(fixed(5), { id: 'd1', threshold: fixed(6) }), [null, 6]);
  assert.deepEqual(await run(fixed(5)), [null, 6], 'MQTT came later');
  assert.deepEqual(await run(fixed(4)), [['applied', null, 'file', 4, 4], 4], 'edited while down');
  assert.deepEqual(await run(IMPOSSIBLE), [['refused', null, 'file', 4, 4], 4]);
  assert.deepEqual(await run(IMPOSSIBLE), [null, 4], 'refused once');
  assert.deepEqual(await run(null), [['applied', null, 'bundle', 5, 90], 90], 'taken out of the settings');
  assert.deepEqual(await run(null), [null, 90]);
});

test('another bundle brings a new revision: of its own rule, or of the chosen one on its calibration', async (t) => {
  const [unchosen, chosen] = [temporaryFolder(t), temporaryFolder(t)];
  (await start(unchosen)).end();
  const own = await start(unchosen, null, bundle('b', 199));
  assert.deepEqual(short(own.started), ['applied', null, 'bundle', 2, 180]);
  own.end();

  const before = await start(chosen);
  before.say({ id: 'd1', threshold: { rule: 'conformal', alpha: 0.02 } });
  assert.equal(before.thresholds.current().upper, 98);
  before.end();
  const larger = await start(chosen, null, bundle('b', 199));
  assert.deepEqual(short(larger.started), ['applied', null, 'mqtt', 3, 196]);
  larger.end();
  const tooSmall = await start(chosen, null, bundle('c', 19));
  assert.deepEqual(short(tooSmall.started), ['refused', null, 'bundle', 4, 18]);
  assert.match(
    tooSmall.started?.reason ?? '',
    /cannot be had from the new bundle.*smallest possible is 0\.05/,
  );
  tooSmall.end();
});

test('what is no desired configuration is refused with a reason, whatever it holds', async (t) => {
  const { thresholds, say, end } = await start(temporaryFolder(t));
  const before = thresholds.current();
  const raw = (payload: string | Buffer) => answerDesired(Buffer.from(payload), thresholds);
  const cases: [Reported | null, string | null, RegExp][] = [
    [raw('not json'), null, /no JSON in UTF-8/],
    [raw(Buffer.from([0x22, 0xff, 0x22])), null, /no JSON in UTF-8/],
    [raw('null'), null, /^expected an object, .*but it is nothing\. Expected \{"id"/],
    [raw('['.repeat(9000)), null, /no JSON/],
    [raw(`"${'x'.repeat(20_000)}"`), null, /20002 bytes; at most 16384/],
    [say({ threshold: QUANTILE }), null, /^id: missing; expected a text\. /],
    [say({ id: 'a3' }), 'a3', /^threshold: missing; expected an object/],
    [say({ id: 5, threshold: [] }), null, /^id: .* a text, but it is a whole number; threshold: .*a list/],
    [say({ id: '', threshold: QUANTILE }), null, /^id: must not be empty/],
    [say({ id: 'd1' }), 'd1', /threshold/],
    [
      say({ id: 'd2', threshold: { rule: 'magic' } }),
      'd2',
      /threshold\.rule: expected one of conformal, mean-std, quantile, z-score, mad, fixed/,
    ],
    [say({ id: 'd3', threshold: { rule: 'quantile', q: 2 } }), 'd3', /threshold\.q: must be less than 1/],
    [say({ id: 'd4', threshold: { ...QUANTILE, p: 1 } }), 'd4', /"p"/],
    [say({ id: 'd5', threshold: QUANTILE, other: 1 }), 'd5', /"other"/],
    [raw('{"id":"d6","threshold":{"rule":"fixed","value":1e999}}'), 'd6', /threshold\.value/],
  ];
  for (const [answer, id, reason] of cases) {
    assert.deepEqual([answer?.outcome, answer?.id, answer?.source], ['refused', id, 'mqtt'], String(reason));
    assert.match(answer?.reason ?? '', reason);
    assert.ok((answer?.reason ?? '').length <= 500);
    assert.doesNotMatch(answer?.reason ?? '', /Invalid|Too (small|big)|undefined|Unrecognized/);
  }
  assert.equal(raw(''), null, 'a cleared retained message');
  assert.equal(thresholds.current(), before);
  end();
});

test('a threshold that calls all or none of the calibration images is applied, and said to', async (t) => {
  const { started, say, end } = await start(temporaryFolder(t), QUANTILE);
  const told = (r: Reported | null) => [r?.outcome, r?.calibrationReview, r?.note];
  assert.deepEqual(told(started), ['applied', 49 / 99, null]);
  const all = say({ id: 'd1', threshold: fixed(0.5) });
  assert.deepEqual(told(all).slice(0, 2), ['applied', 1]);
  assert.match(all?.note ?? '', /every one of the 99 calibration images for review/);
  const none = say({ id: 'd2', threshold: fixed(990) });
  assert.deepEqual(told(none).slice(0, 2), ['applied', 0]);
  assert.match(
    none?.note ?? '',
    /none of the 99 .* largest of their scores is 99\.00, .*990\.0, 10\.0 times that/,
  );
  const refused = say({ id: 'd3', threshold: IMPOSSIBLE });
  assert.deepEqual(told(refused), ['refused', 0, none?.note], 'about the one in force');
  assert.ok(reportedSchema.safeParse(refused).success);
  end();
});

test('a ledger that cannot be read refuses what is desired, and the agent lives', async (t) => {
  const state = temporaryFolder(t);
  const agent = await start(state);
  const other = new DatabaseSync(join(state, 'ledger.sqlite'));
  other.exec('ALTER TABLE answers RENAME TO elsewhere');
  const answer = agent.say({ id: 'd1', threshold: fixed(7) });
  assert.deepEqual(short(answer), ['refused', 'd1', 'mqtt', 1, bundle().threshold.upper]);
  assert.match(answer?.reason ?? '', /Cannot read earlier answers: .*Check the disk/);
  other.exec('ALTER TABLE elsewhere RENAME TO answers; ALTER TABLE facts RENAME TO elsewhere');
  assert.match(
    agent.thresholds.applySettings(fixed(7)).reason ?? '',
    /Cannot read the threshold of the settings/,
  );
  other.exec('ALTER TABLE elsewhere RENAME TO facts');
  other.close();
  assert.deepEqual(short(agent.say({ id: 'd1', threshold: fixed(7) })), ['applied', 'd1', 'mqtt', 2, 7]);
  agent.end();
});

/** A settings file that is watched; `next` gives the following report. */
async function watched(t: TestContext, content: string, environment: Record<string, string> = {}) {
  const folder = temporaryFolder(t);
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, content);
  const sources = { file, environment };
  const settings = readSettings(sources);
  const agent = await start(join(folder, 'state'), settings.threshold);
  const reports: Reported[] = [];
  let arrived = () => {};
  const watch = watchSettingsFile({
    sources,
    settings,
    thresholds: agent.thresholds,
    onReported: (report) => {
      reports.push(report);
      arrived();
    },
    log: agent.log,
  });
  t.after(() => {
    watch.close();
    agent.end();
  });
  const next = async () => {
    if (reports.length === 0)
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    return reports.shift()!;
  };
  /** As careful editors do: a new file, renamed onto the old one. */
  const replace = (text: string) => {
    writeFileSync(join(folder, '.agent.yaml.swp'), text);
    renameSync(join(folder, '.agent.yaml.swp'), file);
  };
  return { file, next, replace, lines: agent.lines, thresholds: agent.thresholds };
}

test('an edited settings file applies its threshold, written in place, replaced, or gone for a moment', async (t) => {
  const { file, next, replace, thresholds } = await watched(t, 'device: a\n');
  writeFileSync(file, 'device: a\nthreshold: {rule: fixed, value: 3}\n');
  assert.deepEqual(short(await next()), ['applied', null, 'file', 2, 3]);
  replace('device: a\nthreshold: {rule: quantile, q: 0.5}\n');
  assert.deepEqual(short(await next()), ['applied', null, 'file', 3, 50]);
  rmSync(file);
  writeFileSync(file, ''); // an editor that truncates first
  writeFileSync(file, 'threshold: {rule: fixed, value: 4}\n');
  assert.deepEqual(short(await next()), ['applied', null, 'file', 4, 4], 'nothing in between');
  replace('device: a\n');
  assert.deepEqual(short(await next()), ['applied', null, 'bundle', 5, 90]);
  assert.equal(thresholds.current().revision, 5);
});

test('a settings file that is written piece by piece counts when it stands still', async (t) => {
  const { file, next } = await watched(t, 'device: a\n');
  for (let value = 1; value <= 12; value++) {
    writeFileSync(file, `threshold: {rule: fixed, value: ${value}}\n`);
    await delay(50);
  }
  assert.deepEqual(short(await next()), ['applied', null, 'file', 2, 12]);
});

test('an invalid settings file is refused without quoting it, and the next valid one is taken', async (t) => {
  const { next, replace, thresholds } = await watched(t, 'threshold: {rule: fixed, value: 3}\n');
  replace('mqtt: {password: "hidden-secret", wrong: 1}\n');
  const unknown = await next();
  assert.equal(unknown.outcome, 'refused');
  assert.match(unknown.reason ?? '', /settings file is not valid/);
  replace('mqtt: {password: hidden-secret\n  threshold: [');
  assert.doesNotMatch(JSON.stringify(await next()), /hidden/);
  replace('threshold: {rule: quantile, q: 7}\n');
  assert.match((await next()).reason ?? '', /Setting threshold is .*"q":7/);
  replace('threshold: {rule: conformal, alpha: 0.0001}\n');
  assert.match((await next()).reason ?? '', /smallest possible is 0\.01/);
  assert.equal(thresholds.current().upper, 3);
  replace('threshold: {rule: fixed, value: 5}\n');
  assert.deepEqual(short(await next()), ['applied', null, 'file', 3, 5]);
});

test('other changed settings are named as needing a restart, without their values', async (t) => {
  const { next, replace, lines } = await watched(t, 'mqtt: {password: old-secret}\n');
  replace('mqtt: {password: new-secret, window: 7}\nthreshold: {rule: fixed, value: 3}\n');
  await next();
  const said = lines.map((line) => JSON.parse(line)).find((line) => /next start/.test(line.msg));
  assert.deepEqual(said?.settings, ['mqtt.password', 'mqtt.window']);
  assert.doesNotMatch(lines.join(), /secret/);
});

test('environment and arguments go on overriding the file', async (t) => {
  const { next, replace, lines, thresholds } = await watched(t, 'device: a\n', {
    PLUMBLINE_THRESHOLD: '{"rule":"fixed","value":2}',
  });
  replace('threshold: {rule: fixed, value: 9}\ndevice: b\n');
  while (!lines.some((line) => /next start/.test(line))) await delay(5); // `device` was seen, so was the threshold
  replace('unknown: 1\n');
  assert.equal((await next()).outcome, 'refused');
  assert.equal(thresholds.current().upper, 2);
});
