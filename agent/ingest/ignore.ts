/** Names that are no captures: temporary files, hidden files, what file managers leave behind. */

/**
 * A test whether any part of a name matches one of the patterns.
 * @param patterns `*` stands for any characters (also none), `?` for one; letters match in either case, because
 *   capture software on Windows writes `X.TMP` as well as `x.tmp`.
 * @returns function of a name with `/` between its parts; the empty name (the watched folder itself) never matches.
 */
export function ignoreMatcher(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false;
  const any = new RegExp(`^(?:${patterns.map(source).join('|')})$`, 'isu');
  return (name) => name !== '' && name.split('/').some((part) => any.test(part));
}

function source(pattern: string): string {
  return pattern
    .replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    .replaceAll('\\*', '.*')
    .replaceAll('\\?', '.');
}
