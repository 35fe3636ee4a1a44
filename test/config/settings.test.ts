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
