/** What is wrong with a value from outside, in words for whoever wrote it. */
import type { z } from 'zod';

const KINDS: Readonly<Record<string, string>> = {
  object: 'an object, such as {"key": "value"}',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
};

/** `issue`, found in `value` by its schema: where, what was expected, what came. Quotes only what its sender chose as keys. */
export function issueInWords(issue: z.core.$ZodIssue, value: unknown): string {
  const where = issue.path.join('.');
  return where === '' ? problemInWords(issue, value) : `${where}: ${problemInWords(issue, value)}`;
}

/** As `issueInWords`, without the place. */
export function problemInWords(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = KINDS[issue.expected] ?? issue.expected;
      const came = issue.path.reduce<unknown>(
        (at, key) => (at as Record<PropertyKey, unknown>)?.[key],
        value,
      );
      return came === undefined && issue.path.length > 0
        ? `missing; expected ${expected}`
        : `expected ${expected}, but it is ${kindOf(came)}`;
    }
    case 'too_small': {
      if (issue.origin === 'string') return 'must not be empty';
      if (issue.origin === 'array') return `must have at least ${entries(issue.minimum)}`;
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    }
    case 'too_big': {
      if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
      if (issue.origin === 'array') return `must have at most ${entries(issue.maximum)}`;
      return `must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    }
    case 'unrecognized_keys':
      return `unknown: ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
    case 'invalid_value':
      return `expected one of ${issue.values.join(', ')}`;
    case 'invalid_union':
      if ('options' in issue && Array.isArray(issue.options))
        return `expected one of ${issue.options.join(', ')}`;
      return issue.message;
    default:
      return issue.message;
  }
}

const entries = (count: number | bigint): string => `${count} entr${Number(count) === 1 ? 'y' : 'ies'}`;

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number')
    return Number.isFinite(value) ? (Number.isInteger(value) ? 'a whole number' : 'a fraction') : 'none';
  return (
    { string: 'a text', boolean: 'true or false', object: 'an object' }[typeof value as string] ??
    typeof value
  );
}
