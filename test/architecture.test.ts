/** ARCHITECTURE.md stays true: its paths exist, and nothing imports what the house forbids. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.join(import.meta.dirname, '..');
const rooms = ['config', 'agent', 'convert', 'trainer'] as const;
type Room = (typeof rooms)[number];

/** What the modules of a room may import of the other rooms. */
const MAY_IMPORT: Record<Room, RegExp> = {
  config: /^config\//,
  agent: /^(agent|config)\//,
  convert: /^(convert|config)\//,
  trainer: /^(trainer|convert|config|agent\/inspect)\//,
};

const COMPOSITION_ROOTS = new Set(['agent/main.ts', 'trainer/main.ts', 'convert/main.ts']);

const sources = rooms.flatMap((room) =>
  globSync('**/*.ts', { cwd: path.join(root, room), exclude: (name) => name === 'node_modules' }).map(
    (file) => ({
      room,
      file: `${room}/${file}`,
      text: readFileSync(path.join(root, room, file), 'utf8'),
    }),
  ),
);

/** Specifiers of static and dynamic imports, and of re-exports. */
function imports(text: string): string[] {
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|(?:^|\n)import\s*['"]([^'"]+)['"]/g,
  );
  return [...found].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

test('there are sources in every room', () => {
  for (const room of rooms)
    assert.ok(
      sources.some((s) => s.room === room),
      room,
    );
});

test('rooms import only what lies below them', () => {
  for (const { room, file, text } of sources)
    for (const specifier of imports(text).filter((s) => s.startsWith('.'))) {
      const target = path.posix.join(path.posix.dirname(file), specifier);
      assert.match(target, MAY_IMPORT[room], `${file} imports ${target}`);
      assert.ok(existsSync(path.join(root, target)), `${file} imports ${target}, which is not there`);
    }
});

test('the device knows nothing of TensorFlow.js', () => {
  for (const { room, file, text } of sources)
    if (room === 'agent' || room === 'config')
      for (const specifier of imports(text))
        assert.doesNotMatch(specifier, /^@tensorflow\//, `${file} imports ${specifier}`);
});

test('every package that a room imports is a dependency of its own', () => {
  for (const { room, file, text } of sources) {
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(
      readFileSync(path.join(root, room, 'package.json'), 'utf8'),
    );
    for (const specifier of imports(text).filter((s) => !s.startsWith('.') && !s.startsWith('node:'))) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      assert.ok(
        name in dependencies || name in peerDependencies,
        `${file} imports ${name}, which ${room}/package.json does not list`,
      );
    }
  }
});

test('only composition roots touch environment, arguments, signals and exit codes', () => {
  for (const { file, text } of sources) {
    if (COMPOSITION_ROOTS.has(file) || /(^|\/)child(\.ts$|\/)/.test(file)) continue;
    assert.doesNotMatch(text, /\bprocess\.(env|argv|exit|exitCode|on|once)\b/, file);
  }
});

test('there is one comparison with the threshold', () => {
  const comparing = sources.filter(({ text }) =>
    />\s*\w*\.?threshold\.upper|[sS]core\s*>\s*\w*(upper|bounds)/.test(text),
  );
  assert.deepEqual(
    comparing.map((s) => s.file),
    ['agent/inspect/judge.ts'],
  );
});

test('no module is a god: at most 300 lines', () => {
  for (const { file, text } of sources)
    assert.ok(text.split('\n').length <= 300, `${file} has ${text.split('\n').length} lines`);
});

test('every path in ARCHITECTURE.md exists', () => {
  const text = readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8');
  const named = [
    ...text.matchAll(/`((?:config|agent|convert|trainer|systemd|test|bench|docs|\.ci)\/[^`*\s]*)`/g),
  ].map((m) => m[1]!);
  assert.ok(named.length > 20, `only ${named.length} paths found`);
  for (const one of named)
    assert.ok(existsSync(path.join(root, one)), `ARCHITECTURE.md names ${one}, which is not there`);
});
