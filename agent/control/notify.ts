/** Tells systemd how the agent is. Through `systemd-notify`, for Node has no Unix datagram sockets. */
import { execFile } from 'node:child_process';
import type { Logger } from 'pino';

export interface Notifier {
  /** Start-up is over (READY=1). */
  ready(): void;
  /** One line for `systemctl status` (STATUS=). */
  status(text: string): void;
  /** Alive and well (WATCHDOG=1). */
  watchdog(): void;
  /** Resolves when systemd knows that the agent is stopping (STOPPING=1). */
  stopping(): Promise<void>;
}

/**
 * @param socket value of `NOTIFY_SOCKET`; undefined: not started by systemd, and nothing is told to anybody.
 * The unit needs `NotifyAccess=all`, since the messages come from a child process.
 */
export function createNotifier(socket: string | undefined, log: Logger): Notifier {
  let warned = false;
  const notify = (...variables: string[]): Promise<void> => {
    if (socket === undefined) return Promise.resolve();
    const environment = { NOTIFY_SOCKET: socket, PATH: '/usr/bin:/bin' };
    return new Promise((resolve) => {
      execFile('systemd-notify', variables, { env: environment, timeout: 5000 }, (error) => {
        if (error !== null && !warned) log.error({ err: error }, 'systemd cannot be notified');
        warned ||= error !== null;
        resolve();
      });
    });
  };
  return {
    ready: () => void notify('READY=1'),
    status: (text) => void notify(`STATUS=${text.replaceAll('\n', ' ')}`),
    watchdog: () => void notify('WATCHDOG=1'),
    stopping: () => notify('STOPPING=1'),
  };
}
