/** What needs somebody's attention while the agent runs: logged, told to whoever listens, awaited. */
import type { Logger } from 'pino';
import type { Alert } from '../config/topics.ts';

export interface Conditions {
  has(code: Alert): boolean;
  /** `null`: over. Messages hold no file name. */
  set(code: Alert, message: string | null): void;
  /** Tells the conditions that hold, and all later changes. */
  tell(listener: ConditionListener): void;
  /** Resolves with the message of the first of `codes` that holds. */
  until(codes: readonly Alert[]): Promise<string>;
}

export interface ConditionListener {
  raise(code: Alert, message: string): void;
  clear(code: Alert): void;
}

export function trackConditions(log: Logger): Conditions {
  const current = new Map<Alert, string>();
  const waiting = new Set<() => void>();
  let listener: ConditionListener | undefined;
  return {
    has: (code) => current.has(code),
    set(code, message) {
      const before = current.get(code);
      if (message === null) {
        if (!current.delete(code)) return;
        log.info({ condition: code }, 'over');
        listener?.clear(code);
        return;
      }
      current.set(code, message);
      if (before === undefined) log.error({ condition: code }, message);
      if (before !== message) listener?.raise(code, message);
      for (const look of waiting) look();
    },
    tell(to) {
      listener = to;
      for (const [code, message] of current) to.raise(code, message);
    },
    until: (codes) =>
      new Promise((resolve) => {
        const look = () => {
          const held = codes.find((code) => current.has(code));
          if (held === undefined) return;
          waiting.delete(look);
          resolve(current.get(held)!);
        };
        waiting.add(look);
        look();
      }),
  };
}
