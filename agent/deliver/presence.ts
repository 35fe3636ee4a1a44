/** What a dashboard knows of this device while no verdict comes: state, info, health, reported settings. All retained. */
import {
  ALERTS,
  type Alert,
  type Health,
  type Info,
  type Reported,
  type State,
  type Topics,
} from '../../config/topics.ts';
import type { Message } from './session.ts';

export interface PresenceOptions {
  readonly topics: Topics;
  readonly info: () => Info;
  /** null: cannot be told now. */
  readonly health: () => Health | null;
  /** Seconds between two reports of health. */
  readonly interval: number;
  /** Sends when connected; what is not sent is said anew by `announce`. */
  readonly send: (message: Message) => void;
}

export interface Presence {
  /** Everything, as the first words on a new connection. */
  announce(): void;
  /** Start-up is over: captures are taken. */
  ready(): void;
  /** Sets an alert condition; `message` in words without file names, by default what `ALERTS` says. */
  raise(alert: Alert, message?: string): void;
  clear(alert: Alert): void;
  infoChanged(): void;
  report(reported: Reported): void;
  /** The last word; returns it so that its delivery can be awaited. */
  stopping(): Message;
}

/** The last will: what the broker says when this device's connection breaks. */
export function lastWill(topics: Topics): Message {
  return retained(topics.state, stateOf('lost', [], null));
}

export function startPresence({ topics, info, health, interval, send }: PresenceOptions): Presence {
  const alerts = new Map<Alert, State['alerts'][number]>();
  let phase: 'starting' | 'ready' | 'stopping' = 'starting';
  let reported: Reported | null = null;

  const state = () => {
    const word = phase !== 'stopping' && alerts.size > 0 ? 'alert' : phase;
    return retained(topics.state, stateOf(word, [...alerts.values()], new Date().toISOString()));
  };
  const sayHealth = () => {
    const now = health();
    if (now !== null) send({ ...retained(topics.health, now), qos: 0, expiry: 3 * interval });
  };
  const timer = setInterval(sayHealth, interval * 1000);

  return {
    announce() {
      send(state());
      send(retained(topics.info, info()));
      if (reported !== null) send(retained(topics.reported, reported));
      sayHealth();
    },
    ready() {
      phase = 'ready';
      send(state());
    },
    raise(code, message = ALERTS[code]) {
      const known = alerts.get(code);
      if (known?.message === message) return;
      alerts.set(code, { code, message, since: known?.since ?? new Date().toISOString() });
      send(state());
    },
    clear(code) {
      if (alerts.delete(code)) send(state());
    },
    infoChanged: () => send(retained(topics.info, info())),
    report(what) {
      reported = what;
      send(retained(topics.reported, what));
    },
    stopping() {
      clearInterval(timer);
      phase = 'stopping';
      return state();
    },
  };
}

function stateOf(word: State['state'], alerts: State['alerts'], at: string | null): State {
  return { schema: 'plumbline/state/1', state: word, alerts, at };
}

function retained(topic: string, payload: State | Info | Health | Reported): Message {
  return { topic, payload: JSON.stringify(payload), qos: 1, retain: true };
}
