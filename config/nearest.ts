/** The candidate that a mistyped word most likely meant. */

/**
 * Nearest of `candidates` by edit distance, in which two letters exchanged are one slip (Damerau 1964); undefined when
 * nothing is near: when more than the given share of the word's letters would have to change.
 */
export function nearest(word: string, candidates: readonly string[], share = 1 / 2): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length * share)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const previous = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const exchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const exchange = exchanged ? rows[i - 2]![j - 2]! + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1, exchange));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
