/** One connection to the broker, from CONNECT to its end. Never reconnects: see broker.ts. */
import { connect, type IClientOptions, type IConnackPacket, type IPublishPacket } from 'mqtt';
import { generate } from 'mqtt-packet';

export interface Message {
  readonly topic: string;
  /** JSON. */
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** The broker forgets the message after so many seconds (MQTT 5 only). */
  readonly expiry?: number;
}

export interface SessionOptions {
  /** Without user name and password. */
  readonly url: string;
  readonly version: 4 | 5;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** What the broker says when this connection breaks. */
  readonly will: Message;
  readonly onMessage: (topic: string, payload: Buffer) => void;
}

export interface Session {
  readonly version: 4 | 5;
  /** Most QoS 1 messages that the broker takes unacknowledged; `publish` waits beyond it. */
  readonly receiveMaximum: number;
  /**
   * Resolves when a QoS 1 message is acknowledged, a QoS 0 one written.
   * @throws DeniedError when the broker refuses this message, SessionEndedError when the connection ends before.
   */
  publish(message: Message): Promise<void>;
  /** @throws DeniedError, SessionEndedError */
  subscribe(topic: string): Promise<void>;
  /** Resolves with the reason when the connection has ended, whoever ended it. */
  readonly ended: Promise<string>;
  /** Drops the connection: the broker publishes the will. */
  abort(reason: string): void;
  /** Says goodbye: the broker forgets the will. */
  close(): Promise<void>;
}

/** MQTT 5, section 2.4: "Packet too large". */
export const PACKET_TOO_LARGE = 149;

/** MQTT 5, section 3.14.2.1: "Session taken over". */
const TAKEN_OVER = 142;

/** The broker answered a message with an error reason code, or has said beforehand that it would; the connection goes on. */
export class DeniedError extends Error {
  override readonly name = 'DeniedError';
  readonly code: number;
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** The connection ended before the answer came: whether the broker has the message is unknown. */
export class SessionEndedError extends Error {
  override readonly name = 'SessionEndedError';
}

/** Seconds between pings on a quiet connection; a broker calls it lost after 1.5 times that. */
const KEEPALIVE = 20;
/** Milliseconds until the broker must have answered CONNECT. */
const CONNECT_TIMEOUT = 10_000;
/** Receive maximum of a broker that names none: MQTT 5, section 3.2.2.3.3. */
const RECEIVE_MAXIMUM = 65_535;

/**
 * Connects; resolves when the broker has accepted.
 * @throws Error saying why not; one with `code` 1 or 132 when the broker does not speak `version`.
 */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const client = connect(options.url, clientOptions(options));
  const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<string>();
  let why: string | undefined;
  client.on('error', (error) => {
    why ??= describe(error);
  });
  // mqtt.js keeps errors without a code to itself, such as what it cannot write down as a packet.
  client.stream.on('error', (error: Error) => {
    why ??= describe(error);
  });
  client.on('disconnect', ({ reasonCode = 0 }) => {
    why ??=
      reasonCode === TAKEN_OVER
        ? 'another client took its place at the broker'
        : `the broker ended it with reason code ${reasonCode}`;
  });
  client.on('close', () => resolveEnded(why ?? 'the connection was closed'));
  client.on('message', options.onMessage);
  const abort = (reason: string) => {
    why ??= reason;
    client.end(true);
  };
  const stop = () => abort('stopped');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const { receiveMaximum = RECEIVE_MAXIMUM, maximumPacketSize = Number.POSITIVE_INFINITY } =
    await new Promise<NonNullable<IConnackPacket['properties']>>((resolve, reject) => {
      client.once('connect', ({ properties = {} }) => resolve(properties));
      client.once('error', reject);
      ended.then((reason) => reject(new Error(reason)));
    })
      .catch((error: Error) => {
        abort(error.message);
        throw error;
      })
      .finally(() => signal.removeEventListener('abort', stop));
  const limited = limiter(receiveMaximum);
  const answered = answers(ended);
  return {
    version: options.version,
    receiveMaximum,
    publish: async (message) => {
      requireSize(message, maximumPacketSize);
      const send = () =>
        answered((done) => client.publish(message.topic, message.payload, wire(message), done));
      return message.qos === 0 ? send() : limited(send);
    },
    subscribe: (topic) => answered((done) => client.subscribe(topic, { qos: 1 }, done)),
    ended,
    abort,
    async close() {
      why ??= 'closed by the agent';
      // mqtt.js says DISCONNECT only once nothing is outstanding, and ignores a second, forced `end`.
      for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id));
      client.end();
      const timer = setTimeout(() => client.stream.destroy(), 1000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** An error in words; Node leaves the message of some connection errors empty. */
export function describe(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map((e: Error) => e.message).join('; ');
  return error.message || ('code' in error ? String(error.code) : error.name);
}

function clientOptions({ version, will, url: _, onMessage: __, ...rest }: SessionOptions): IClientOptions {
  const { topic, payload, ...willOptions } = { topic: will.topic, payload: will.payload, ...wire(will) };
  return {
    ...rest,
    protocolVersion: version,
    clean: true,
    keepalive: KEEPALIVE,
    connectTimeout: CONNECT_TIMEOUT,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    will: { topic, payload: Buffer.from(payload), ...willOptions },
  };
}

function wire({ qos, retain, expiry }: Message) {
  return {
    qos,
    retain,
    // Sent by mqtt.js with MQTT 5 only.
    properties: {
      contentType: 'application/json',
      payloadFormatIndicator: true,
      ...(expiry === undefined ? {} : { messageExpiryInterval: Math.ceil(expiry) }),
    },
  };
}

/**
 * A broker ends the connection over a packet that is larger than it takes: MQTT 5, section 3.1.2.11.4.
 * @throws DeniedError
 */
function requireSize({ topic, payload, ...rest }: Message, most: number): void {
  // Nothing that goes along with the payload is longer than the topic and 64 bytes: no need to write the packet.
  if (Buffer.byteLength(payload) + Buffer.byteLength(topic) + 64 <= most) return;
  const packet = {
    cmd: 'publish',
    topic,
    payload,
    messageId: 1,
    dup: false,
    ...wire({ topic, payload, ...rest }),
  };
  const { length } = generate(packet as IPublishPacket, { protocolVersion: 5 });
  if (length > most)
    throw new DeniedError(
      `the packet has ${length} bytes, the broker takes ${most} (its maximum packet size)`,
      PACKET_TOO_LARGE,
    );
}

/** mqtt.js does not always call back when a connection ends; this does, once, whatever comes first. */
function answers(ended: Promise<string>) {
  const waiting = new Set<(error: Error) => void>();
  let over: string | undefined;
  ended.then((reason) => {
    over = reason;
    for (const reject of waiting) reject(new SessionEndedError(reason));
    waiting.clear();
  });
  return (request: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      if (over !== undefined) return reject(new SessionEndedError(over));
      waiting.add(reject);
      request((error) => {
        waiting.delete(reject);
        if (!error) resolve();
        else if ('code' in error && typeof error.code === 'number')
          reject(new DeniedError(error.message, error.code));
        else reject(new SessionEndedError(describe(error)));
      });
    });
}

/** Runs at most `most` at a time, the others in order of arrival. */
function limiter(most: number) {
  let running = 0;
  const queue: (() => void)[] = [];
  return async (work: () => Promise<void>): Promise<void> => {
    if (running >= most) await new Promise<void>((turn) => queue.push(turn));
    else running++;
    try {
      await work();
    } finally {
      const next = queue.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
