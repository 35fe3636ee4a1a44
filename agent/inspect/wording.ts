/** The words that fill the sentences of evidence. */

/** `template` with `{key}` replaced by its word. @throws when a word is missing: a fault of the catalogue. */
export function inWords(template: string, words: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
    const word = words[key];
    if (word === undefined) throw new Error(`The sentence "${template}" wants {${key}}, which is not known.`);
    return word;
  });
}

/** `count` of `n` good images: "299 of 300 good images", "all 240 good images", "the only good image". */
export function countIn(count: number, n: number): string {
  if (count === n) return n === 1 ? 'the only good image' : `all ${n} good images`;
  return `${count} of ${n} good images`;
}

/**
 * `value` in percent, and where good images lie: all of them where `all`, otherwise the middle nine in ten. Shares from
 * 0 to 1, in steps of 0.001 at least; `sorted` ascending. As many decimals (0 or 1) as tell the value from the range.
 */
export function rangeIn(
  value: number,
  sorted: readonly number[],
  all: boolean,
): { readonly value: string; readonly range: string } {
  const n = sorted.length;
  const aside = all ? 0 : Math.floor(0.05 * n);
  const [from, to] = [sorted[aside]!, sorted[n - 1 - aside]!];
  const whole = (x: number) => Math.round(100 * x).toFixed(0);
  const fine = (x: number) => (100 * x).toFixed(1);
  const distinct = [from, to].every((x) => whole(x) !== whole(value));
  const number = distinct ? whole : fine;
  const [a, b] = [number(from), number(to)];
  return {
    value: `${number(value)} %`,
    range: `${all ? '' : 'nine in ten '}good ones ${a === b ? a : `${a} to ${b}`} %`,
  };
}
