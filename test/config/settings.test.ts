import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SETTINGS } from '../../config/agent.ts';
import { generated } from '../../config/generate.ts';
import { readSettings } from '../../config/settings.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-settings-'));

function settingsFile(name: string, content: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

test('file, environment and arguments override each other in that order', () => {
  const file = settingsFile('a.yaml', 'site: from-file\ndevice: from-file\nmqtt:\n  root: from-file\n');
  const settings = readSettings({
    file,
    environment: { PLUMBLINE_DEVICE: 'from-environment', PLUMBLINE_MQTT_ROOT: 'from-environment' },
    arguments: { 'mqtt.root': 'from-argument' },
  });
  assert.equal(settings.site, 'from-file');
  assert.equal(settings.device, 'from-environment');
  assert.equal(settings['mqtt.root'], 'from-argument');
  assert.equal(settings['watch.settle'], SETTINGS['watch.settle'].default);
});

test('JSON and YAML files mean the same', () => {
  const json = settingsFile('b.json', '{"watch": {"settle": 3}, "threshold": {"rule": "fixed", "value": 2}}');
  const yaml = settingsFile('b.yaml', 'watch:\n  settle: 3\nthreshold:\n  rule: fixed\n  value: 2\n');
  assert.deepEqual(
    readSettings({ file: json, environment: {} }),
    readSettings({ file: yaml, environment: {} }),
  );
});

test('an unknown key is refused with the nearest known one', () => {
  const file = settingsFile('c.yaml', 'mqtt:\n  urll: mqtt://localhost\n');
  assert.throws(
    () => readSettings({ file, environment: {} }),
    /Unknown setting mqtt\.urll.*Did you mean mqtt\.url\?/,
  );
});

test('an unknown group is refused with the nearest known one; a known one with what belongs into it', () => {
  const saying = (content: string) => {
    const file = settingsFile('group.yaml', content);
    try {
      readSettings({ file, environment: {} });
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail(`${content} was accepted`);
  };
  assert.match(saying('wach: {path: x}\n'), /Unknown setting wach\. Did you mean watch\?/);
  assert.match(saying('mqt:\n  url: x\n'), /Did you mean mqtt\?/);
  assert.match(saying('watcj:\n  path: x\n'), /Did you mean watch\?/);
  assert.match(saying('lgo:\n  level: x\n'), /Did you mean log\?/, 'two letters exchanged are one slip');
  assert.doesNotMatch(saying('foo:\n  level: x\n'), /Did you mean/);
  assert.match(
    saying('watch: /captures\n'),
    /watch is a group of settings \(path, .*write watch: \{ path: \.\.\. \}/,
  );
  assert.match(saying('watch: [/captures]\n'), /watch is a group/);
  assert.match(
    saying('watch.path: /captures\n'),
    /watch\.path belongs within its group: write watch: \{ path:/,
  );
  assert.match(saying('toString: x\n'), /Unknown setting toString\./);
  assert.doesNotMatch(saying('completely-different: x\n'), /Did you mean/);
});

test('a settings file that is missing is said to be, and a folder to be one', () => {
  const at = (file: string) => () => readSettings({ file, environment: {} });
  assert.throws(at(path.join(folder, 'none.yaml')), /none\.yaml is missing\. .*--config/);
  assert.throws(at(folder), /is a folder/);
});

test('a broker is given by one of the schemes spoken, which a refusal lists', () => {
  const read = (url: string) => readSettings({ environment: {}, arguments: { 'mqtt.url': url } })['mqtt.url'];
  for (const url of ['mqtt://a', 'mqtts://a:8883', 'ws://a/mqtt', 'wss://a', 'tcp://10.0.0.1', 'ssl://a', ''])
    assert.equal(read(url), url);
  for (const url of ['http://x', 'localhost', 'localhost:1883', 'mqtt://', 'mqtt:x'])
    assert.throws(() => read(url), /one of mqtt, mqtts, tcp, ssl, ws, wss/, url);
});

test('what is wrong with a value is said in words, not in those of a library', () => {
  const said = (settings: Record<string, string>) => {
    try {
      readSettings({ environment: {}, arguments: settings });
    } catch (error) {
      assert.doesNotMatch((error as Error).message, /Invalid|Too (small|big)|undefined|NaN|JSON at/);
      return (error as Error).message;
    }
    return assert.fail(`${JSON.stringify(settings)} was accepted`);
  };
  assert.match(said({ 'watch.settle': 'soon' }), /"soon": expected a number/);
  assert.match(said({ 'scorer.threads': '1.5' }), /expected a whole number/);
  assert.match(said({ 'scorer.threads': '0' }), /must be at least 1/);
  assert.match(said({ 'log.level': 'loud' }), /expected one of fatal, error, warn/);
  assert.match(said({ 'log.paths': 'perhaps' }), /expected true or false/);
  assert.match(said({ site: 'a/b' }), /letters, digits/);
  assert.match(said({ threshold: 'quantile' }), /expected JSON, such as/);
  assert.match(said({ threshold: '{"rule":"magic"}' }), /rule: expected one of conformal/);
});

test('a wrong value names the setting, what came and what it means', () => {
  assert.throws(
    () => readSettings({ environment: {}, arguments: { 'watch.settle': 'soon' } }),
    /watch\.settle is "soon".*--watch-settle/,
  );
  assert.throws(
    () => readSettings({ environment: {}, arguments: { threshold: '{"rule":"conformal","alpha":2}' } }),
    /threshold.*alpha/,
  );
});

test('a secret is taken from the environment, never from an argument, and never shown', () => {
  const settings = readSettings({ environment: { PLUMBLINE_MQTT_PASSWORD: 'hunter2' } });
  assert.equal(settings['mqtt.password'], 'hunter2');
  assert.throws(
    () => readSettings({ environment: {}, arguments: { 'mqtt.password': 'hunter2' } }),
    (error: Error) => {
      assert.match(error.message, /secret/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});

test('environment variables and arguments are unique', () => {
  const settings = Object.values(SETTINGS);
  assert.equal(new Set(settings.map((s) => s.environment)).size, settings.length);
  const argumentNames = settings.flatMap((s) => (s.argument === null ? [] : [s.argument]));
  assert.equal(new Set(argumentNames).size, argumentNames.length);
});

test('published schemas and the settings reference are up to date (else: npm run schemas)', () => {
  for (const [file, content] of generated())
    assert.equal(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'), content, file);
});

test('neither a broken file nor a broken URL shows the secret in it', () => {
  const file = settingsFile('d.yaml', 'mqtt:\n  password: hunter2\n  url: "mqtt://a\n');
  const url = 'nonsense://someone:hunter2@broker';
  for (const read of [
    () => readSettings({ file, environment: {} }),
    () => readSettings({ environment: {}, arguments: { 'mqtt.url': url } }),
  ])
    assert.throws(read, (error: Error) => {
      assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /hunter2/);
      return true;
    });
});
