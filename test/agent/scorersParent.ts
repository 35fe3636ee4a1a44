/** An agent in small, to be killed: opens scorers on the bundle, prints their process ids, and has one of them work. */
import { pino } from 'pino';
import { openPool } from '../../agent/scorers/pool.ts';

const [bundle, file] = process.argv.slice(2) as [string, string];
const pool = await openPool({
  bundle,
  processes: 2,
  threads: 1,
  executionProvider: 'cpu',
  limits: { pixels: 1e9, bytes: 2 ** 30 },
  deadlineMilliseconds: 60_000,
  decodingMilliseconds: 60_000,
  memory: 2 ** 34,
  log: pino({ level: 'silent' }),
  onCondition: () => {},
});
void pool.inspect(file);
console.log(JSON.stringify(pool.processes));
