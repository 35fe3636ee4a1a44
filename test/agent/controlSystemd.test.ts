import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createNotifier } from '../../agent/control/notify.ts';
import { startWatchdog, stuck, type Vital } from '../../agent/control/watchdog.ts';
import { listeningLog, temporaryFolder } from './brokerFixture.ts';

const vital = (part: Vital['part'], busy: number | null): Vital => ({ part, busy, allowed: 1000 });

test('a part is stuck when it is busy for longer than allowed; idle or waiting it never is', () => {
  assert.deepEqual(stuck([vital('scan', null), vital('scorer', 1000), vital('disk', 0)]), []);
  assert.deepEqual(stuck([vital('scan', 1001), vital('scorer', 5), vital('disk', 2000)]), ['scan', 'disk']);
});

test('the watchdog is fed while all is well, not while a part is stuck, and again afterwards', async (t) => {
  const { log, lines } = listeningLog();
  let busy: number | null = null;
  let fed = 0;
  let looked = 0;
  let tell = () => {};
  const watchdog = startWatchdog({
    microseconds: 15_000,
    vitals: () => {
      looked++;
      queueMicrotask(() => tell());
      return [vital('scorer', busy)];
    },
    notifier: { ready() {}, status() {}, stopping: async () => {}, watchdog: () => fed++ },
    log,
  });
  t.after(() => watchdog.close());
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      tell = () => condition() && resolve();
    });
  await until(() => fed >= 3);
  busy = 1001;
  const [fedBefore, lookedBefore] = [fed, looked];
  await until(() => looked >= lookedBefore + 5);
  assert.equal(fed, fedBefore);
  assert.equal(lines.filter((line) => line.includes('"stuck":["scorer"]')).length, 1, 'said once');
  busy = 3;
  await until(() => fed > fedBefore);
});

test('systemd hears READY, STATUS, WATCHDOG and STOPPING; without a socket nobody is told', async (t) => {
  if (spawnSync('systemd-notify', ['--version']).error || spawnSync('python3', ['--version']).error)
    return t.skip('needs systemd-notify, and python3 for a datagram socket');
  const socket = join(temporaryFolder(t), 'notify');
  const listen = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 8)
    for fd in fds: socket.close(fd)
    print(data.decode().replace("\\n", "|"), flush=True)`;
  const listener = spawn('python3', ['-c', listen, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => listener.kill());
  const heard = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    for (;;) {
      const line = String((await heard.next()).value);
      if (line !== 'BARRIER=1') return line;
    }
  };
  assert.equal(await next(), 'bound');
  const { log, lines } = listeningLog();
  const notifier = createNotifier(socket, log);
  notifier.ready();
  assert.equal(await next(), 'READY=1');
  notifier.status('3 captures\nwait');
  assert.equal(await next(), 'STATUS=3 captures wait');
  notifier.watchdog();
  assert.equal(await next(), 'WATCHDOG=1');
  const stopped = notifier.stopping();
  assert.equal(await next(), 'STOPPING=1');
  await stopped;
  await createNotifier(undefined, log).stopping();
  assert.deepEqual(lines, []);
});

test('a socket that nobody reads is said once, and harms nothing', async (t) => {
  if (spawnSync('systemd-notify', ['--version']).error) return t.skip('needs systemd-notify');
  const { log, lines } = listeningLog();
  const notifier = createNotifier(join(temporaryFolder(t), 'nobody'), log);
  await notifier.stopping();
  await notifier.stopping();
  assert.equal(lines.filter((line) => /cannot be notified/.test(line)).length, 1);
});

test('the unit is valid and as closed as it can be', async (t) => {
  const unit = join(import.meta.dirname, '../../systemd/plumbline-agent.service');
  const text = readFileSync(unit, 'utf8');
  assert.match(text, /^NotifyAccess=all$/m);
  const security = spawn('systemd-analyze', ['security', '--offline=true', '--no-pager', unit]);
  security.on('error', () => {});
  let said = '';
  security.stdout?.on('data', (data) => {
    said += data;
  });
  const [code] = await once(security, 'close');
  if (code !== 0 && said === '') return t.skip('needs systemd-analyze 250 or later');
  const exposure = Number(/Overall exposure level for .*: ([\d.]+)/.exec(said)?.[1]);
  assert.ok(exposure <= 2.0, `exposure ${exposure}`);
});
