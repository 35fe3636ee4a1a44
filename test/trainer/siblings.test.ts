import assert from 'node:assert/strict';
import test from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { divideIntoFolds } from '../../trainer/data/folds.ts';
import { randomFor } from '../../trainer/random.ts';
import { findSiblings } from '../../trainer/voices/siblings.ts';

/** Normal enough: the sum of twelve uniform numbers. */
const normal = (random: () => number) => {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
};

test('siblings: rows that are hardly apart are found, each with each; others are not', async () => {
  await tf.setBackend('cpu');
  const random = randomFor(1, 'siblings test');
  const rows = Array.from({ length: 300 }, () => Float32Array.from({ length: 60 }, () => normal(random)));
  assert.deepEqual(await findSiblings(rows), [], 'unrelated rows');
  const again = rows.map((row, i) =>
    i % 10 === 3 ? rows[i - 1]!.map((value) => value + 0.2 * normal(random)) : row,
  );
  const found = await findSiblings(again);
  assert.deepEqual(
    found.toSorted(([a], [b]) => a - b),
    Array.from({ length: 30 }, (_, i) => [10 * i + 2, 10 * i + 3]),
  );
  assert.deepEqual(
    await findSiblings(again.slice(0, 19)),
    [],
    'too few to tell how alike images are otherwise',
  );
});

test('property: folds hold every image once, keep keys and pairs together, and are of nearly equal size', () => {
  const random = randomFor(2, 'folds test');
  for (let round = 0; round < 100; round++) {
    const count = 5 + Math.floor(random() * 150);
    const keys = Array.from({ length: count }, (_, i) =>
      random() < 0.3 ? `patient ${Math.floor(random() * count * 0.2)}` : `#${i}`,
    );
    const any = () => Math.floor(random() * count);
    const pairs = Array.from({ length: Math.floor(random() * count * 0.3) }, () => [any(), any()] as const);
    const wanted = 2 + Math.floor(random() * 8);
    const { folds, groups, largest } = divideIntoFolds(keys, pairs, wanted, round);
    assert.deepEqual(divideIntoFolds(keys, pairs, wanted, round), { folds, groups, largest });
    assert.deepEqual(
      folds.flat().sort((a, b) => a - b),
      [...keys.keys()],
    );
    const foldOf = new Map(folds.flatMap((fold, k) => fold.map((i) => [i, k] as const)));
    for (const [a, b] of pairs) assert.equal(foldOf.get(a), foldOf.get(b));
    const byKey = Map.groupBy(keys.keys(), (i) => keys[i]!);
    for (const members of byKey.values()) assert.equal(new Set(members.map((i) => foldOf.get(i))).size, 1);
    assert.equal(folds.length, Math.min(wanted, groups));
    assert.ok(folds.every((fold) => fold.length > 0));
    // The largest group first, to the smallest fold: no fold is larger than another by more than the largest group.
    const joined = new Map(keys.map((_, i) => [i, i]));
    let changed = true;
    while (changed) {
      changed = false;
      const join = (a: number, b: number) => {
        const low = Math.min(joined.get(a)!, joined.get(b)!);
        if (joined.get(a) === low && joined.get(b) === low) return;
        joined.set(a, low).set(b, low);
        changed = true;
      };
      for (const [a, b] of pairs) join(a, b);
      for (const members of byKey.values()) for (const i of members) join(members[0]!, i);
    }
    const sizes = [...Map.groupBy(keys.keys(), (i) => joined.get(i)!).values()].map(({ length }) => length);
    assert.deepEqual([sizes.length, Math.max(...sizes)], [groups, largest]);
    const lengths = folds.map(({ length }) => length);
    assert.ok(Math.max(...lengths) - Math.min(...lengths) <= Math.max(...sizes), `${lengths}; ${sizes}`);
  }
});
