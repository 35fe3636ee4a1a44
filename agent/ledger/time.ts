/** Times on the command line. */
import { InvalidArgumentError, Option } from 'commander';

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** An option that takes a time and gives milliseconds since 1970. */
export function instantOption(flag: string, meaning: string): Option {
  return new Option(
    `${flag} <time>`,
    `${meaning}: ISO 8601, such as 2026-01-31 or 2026-01-31T08:00 (local time), or 30m, 24h, 7d ago`,
  ).argParser(instant);
}

function instant(text: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (unit !== undefined) return Date.now() - Number(count) * UNITS[unit as keyof typeof UNITS];
  // A date alone would be midnight in UTC: people mean their own.
  const time = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(time)) return time;
  throw new InvalidArgumentError('Expected a time such as 2026-01-31, 2026-01-31T08:00, or 24h.');
}
