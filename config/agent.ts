/** The agent's settings: each with its meaning, default, unit, environment variable and argument, written once. */
import { z } from 'zod';
import { settableRule } from './threshold.ts';
import { topicLevel } from './topics.ts';

/** One setting. `argument: null` marks a secret: it comes by file or environment only and is never printed. */
export interface Setting<S extends z.ZodType = z.ZodType> {
  readonly doc: string;
  readonly schema: S;
  readonly default: z.infer<S>;
  readonly unit?: string;
  readonly environment: string;
  readonly argument: string | null;
}

const text = z.string();
const folder = z.string();
const natural = z.coerce.number().int().min(0);
const age = z.coerce.number().min(0);
const positive = z.coerce.number().gt(0);
const flag = z.union([z.boolean(), z.stringbool()], { error: 'expected true or false' });
const SCHEMES = ['mqtt', 'mqtts', 'tcp', 'ssl', 'ws', 'wss'];
const brokerUrl = z.url({
  protocol: new RegExp(`^(${SCHEMES.join('|')})$`),
  hostname: /./,
  error: `expected SCHEME://HOST:PORT, where SCHEME is one of ${SCHEMES.join(', ')}`,
});
const patterns = z.preprocess((v) => (typeof v === 'string' ? v.split(',') : v), z.array(z.string().min(1)));
const rule = z.preprocess(parseRule, settableRule.nullable());

/** On the command line and in the environment a rule is JSON. */
function parseRule(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw new Error('expected JSON, such as {"rule": "quantile", "q": 0.99}', { cause });
  }
}

function setting<S extends z.ZodType>(
  name: string,
  schema: S,
  value: z.infer<S>,
  doc: string,
  more: { unit?: string; argument?: string | null } = {},
): Setting<S> {
  const words = schema instanceof z.ZodEnum ? schema.options.join(', ') : undefined;
  const spelt = name.replace(/([a-z])([A-Z])/g, '$1.$2').toLowerCase();
  return {
    doc: words === undefined ? doc : `${doc} One of: ${words}.`,
    schema,
    default: value,
    environment: `PLUMBLINE_${spelt.replaceAll('.', '_').toUpperCase()}`,
    argument: more.argument === undefined ? spelt.replaceAll('.', '-') : more.argument,
    ...(more.unit === undefined ? {} : { unit: more.unit }),
  };
}

/** All settings by their key in the settings file (`mqtt.url` is `url` within `mqtt`). */
export const SETTINGS = {
  bundle: setting('bundle', text, '', 'Bundle (.onnx) that scores the captures.'),
  site: setting('site', topicLevel, 'site', 'Site, as it stands in the topics.'),
  device: setting('device', topicLevel, 'device', 'Device, as it stands in the topics.'),
  threshold: setting(
    'threshold',
    rule,
    null,
    `Threshold rule, such as {"rule": "conformal", "alpha": 0.01}; rules: ${settableRule.options.map((o) => o.shape.rule.value).join(', ')}. Unset: the one in the bundle. Changes apply live.`,
  ),
  'watch.path': setting(
    'watch.path',
    folder,
    '',
    'Folder into which captures are written. Never written to.',
    {
      argument: 'watch',
    },
  ),
  'watch.ignore': setting(
    'watch.ignore',
    patterns,
    ['.*', '*~', '*.tmp', '*.temp', '*.part', '*.partial', '*.crdownload', 'Thumbs.db', 'desktop.ini'],
    'Names (of files and folders, with * and ?) that are no captures.',
  ),
  'watch.settle': setting(
    'watch.settle',
    positive,
    2,
    'How long a file must stand still when its format does not tell that it is complete.',
    { unit: 'seconds' },
  ),
  'watch.sweep': setting('watch.sweep', positive, 60, 'How often the folder is read as a whole.', {
    unit: 'seconds',
  }),
  'watch.polling': setting(
    'watch.polling',
    z.coerce.number().min(0),
    0,
    'Seconds between two readings of the folder instead of listening for events, which network shares (SMB, NFS) do not send; 0: listen.',
    { unit: 'seconds' },
  ),
  'watch.order': setting(
    'watch.order',
    z.enum(['newest', 'oldest']),
    'newest',
    'Which captures are scored first when several wait. newest: what has just come, then the others, newest first; oldest: all by modification time.',
  ),
  'state.path': setting('state.path', folder, 'state', 'Folder for the ledger and the site key.', {
    argument: 'state',
  }),
  'mqtt.url': setting(
    'mqtt.url',
    z.union([z.literal(''), brokerUrl]),
    '',
    'Broker, such as mqtt://broker.example:1883. Empty: an embedded broker on loopback.',
    { argument: 'broker' },
  ),
  'mqtt.root': setting('mqtt.root', topicLevel, 'plumbline', 'First level of every topic.'),
  'mqtt.username': setting('mqtt.username', text, '', 'User name at the broker.'),
  'mqtt.password': setting('mqtt.password', text, '', 'Password at the broker.', { argument: null }),
  'mqtt.passwordFile': setting('mqtt.passwordFile', text, '', 'File that holds the password.'),
  'mqtt.ca': setting('mqtt.ca', text, '', 'PEM file of the authority that signed the broker certificate.'),
  'mqtt.cert': setting('mqtt.cert', text, '', 'PEM file of the client certificate.'),
  'mqtt.key': setting('mqtt.key', text, '', 'PEM file of the client key.'),
  'mqtt.window': setting(
    'mqtt.window',
    natural.min(1).max(1000),
    20,
    'Verdicts in flight before the first is acknowledged.',
    {
      unit: 'messages',
    },
  ),
  'mqtt.acknowledge': setting(
    'mqtt.acknowledge',
    positive,
    10,
    'How long to wait for an acknowledgement before the connection is renewed.',
    { unit: 'seconds' },
  ),
  'mqtt.embeddedPort': setting(
    'mqtt.embeddedPort',
    natural.max(65535),
    1883,
    'Port of the embedded broker (127.0.0.1); 0: any free one.',
    {
      unit: 'port',
    },
  ),
  'outbox.bytes': setting(
    'outbox.bytes',
    natural,
    256 * 2 ** 20,
    'Most space for verdicts that wait for the broker; the oldest are dropped, and the gap is announced.',
    { unit: 'bytes' },
  ),
  'outbox.age': setting(
    'outbox.age',
    age,
    0,
    'How long a verdict may wait for the broker, by the clock of this PC; older ones are dropped, and the gap is announced. 0: as long as it takes.',
    { unit: 'days' },
  ),
  'ledger.bytes': setting(
    'ledger.bytes',
    natural,
    2 ** 30,
    'Beyond this size of the ledger, the oldest verdicts that the broker has are pruned: word, score, id and times stay, the full message goes.',
    { unit: 'bytes' },
  ),
  'ledger.age': setting(
    'ledger.age',
    age,
    365,
    'Verdicts that the broker has are pruned likewise when they are older. 0: never.',
    { unit: 'days' },
  ),
  'limits.pixels': setting('limits.pixels', natural, 100_000_000, 'Largest image.', { unit: 'pixels' }),
  'limits.frames': setting(
    'limits.frames',
    natural.min(1),
    1000,
    'Most frames of a DICOM file, each of which is a capture of its own. Beyond it none is judged, and the file gets one verdict that says so. Of no effect on a bundle that takes several frames as one input.',
    { unit: 'frames' },
  ),
  'limits.bytes': setting('limits.bytes', natural, 256 * 2 ** 20, 'Largest file.', { unit: 'bytes' }),
  'limits.scoring': setting(
    'limits.scoring',
    positive,
    30,
    'Longest time for decoding and scoring one capture.',
    {
      unit: 'seconds',
    },
  ),
  'limits.decoding': setting(
    'limits.decoding',
    positive,
    20,
    'Longest time for reading and decoding one capture, within limits.scoring.',
    { unit: 'seconds' },
  ),
  'limits.memory': setting(
    'limits.memory',
    natural.min(2 ** 27),
    2 ** 31,
    'Most memory of a scoring process while it works on a capture; beyond it the process is ended and replaced.',
    { unit: 'bytes' },
  ),
  'limits.queue': setting(
    'limits.queue',
    natural.min(1),
    10_000,
    'Most settled files that are held in memory; those beyond stay in the folder and are found again.',
    { unit: 'files' },
  ),
  'limits.depth': setting(
    'limits.depth',
    natural,
    32,
    'Most folders from the watched one down to a file. A folder that lies deeper is not read, and gets a verdict that says so.',
    { unit: 'folders' },
  ),
  'limits.disk': setting(
    'limits.disk',
    natural,
    32 * 2 ** 20,
    'Scoring waits while the state folder has less space than this.',
    {
      unit: 'bytes',
    },
  ),
  'scorer.processes': setting(
    'scorer.processes',
    natural.max(64),
    0,
    'Scoring processes; 0: one for every two processors, at most 4, and one where CUDA scores.',
    { unit: 'processes' },
  ),
  'scorer.threads': setting(
    'scorer.threads',
    natural.min(1).max(256),
    1,
    'Threads of each scoring process.',
    {
      unit: 'threads',
    },
  ),
  'scorer.executionProvider': setting(
    'scorer.executionProvider',
    z.enum(['cpu', 'cuda']),
    'cpu',
    'Where onnxruntime runs the graph.',
  ),
  'health.interval': setting('health.interval', positive, 30, 'How often health is published.', {
    unit: 'seconds',
  }),
  'log.level': setting(
    'log.level',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']),
    'info',
    'Least severe level that is logged.',
  ),
  'log.paths': setting('log.paths', flag, false, 'Whether file names may stand in the log.'),
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof SETTINGS;

/** Resolved settings, flat by key. */
export type AgentSettings = { readonly [K in SettingKey]: z.infer<(typeof SETTINGS)[K]['schema']> };
