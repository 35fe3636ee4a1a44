import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { ConfigError } from '../../config/errors.ts';
import { listRecipes, loadRecipe, parseChange, recipeKeys } from '../../trainer/recipe.ts';
import { temporary } from './launcher.ts';

const load = (...changes: string[]) => loadRecipe('fundus', changes.map(parseChange));

test('every recipe of the house loads', async () => {
  assert.deepEqual(
    (await listRecipes()).map((r) => r.name),
    ['fundus'],
  );
});

test('values are set by key: numbers, lists, a single number where a list is wanted, words', async () => {
  const recipe = await load(
    'input.width=64',
    'model.filters=16,32',
    'optimizer.kind=sgd',
    'optimizer.learningRate=1e-2',
  );
  assert.equal(recipe.input.width, 64);
  assert.deepEqual('filters' in recipe.model && recipe.model.filters, [16, 32]);
  assert.deepEqual(recipe.optimizer, { kind: 'sgd', learningRate: 0.01 });
  const { model } = await load('model.filters=8');
  assert.deepEqual('filters' in model && model.filters, [8]);
});

test('another threshold rule drops the parameters of the old one, in whatever order they are given', async () => {
  assert.deepEqual((await load('threshold.rule=mean-std')).threshold, { rule: 'mean-std', k: 1 });
  assert.deepEqual((await load('threshold.k=3', 'threshold.rule=mean-std')).threshold, {
    rule: 'mean-std',
    k: 3,
  });
  assert.deepEqual((await load('threshold.alpha=0.1')).threshold, { rule: 'conformal', alpha: 0.1 });
});

for (const [change, expected] of [
  ['input.widht=64', /no such key.*Did you mean input\.width\?/],
  ['epochs=none', /epochs is "none"/],
  ['threshold.alpha=1.5', /threshold\.alpha is 1\.5/],
  ['threshold.k=2', /threshold\.k does not go with \{"rule":"conformal"/],
  ['input.width=100', /multiple of 8, such as 96 or 104/],
  ['epochs', /expected key=value/],
] as const)
  test(`refused: --set ${change}`, async () => {
    await assert.rejects(
      async () => load(change),
      (error: Error) => error instanceof ConfigError && expected.test(error.message),
    );
  });

test('an unknown recipe is refused with the nearest name', async () => {
  await assert.rejects(loadRecipe('fundsu', []), /no recipe "fundsu"\. Did you mean fundus\?/);
});

test("a recipe file of one's own, and a mistyped key in it", async (t) => {
  const folder = await temporary(t);
  const file = path.join(folder, 'own.json');
  const fundus = await load();
  await writeFile(file, JSON.stringify({ ...fundus, name: 'own' }));
  assert.equal((await loadRecipe(file, [])).name, 'own');
  await writeFile(file, JSON.stringify({ ...fundus, epoch: 3 }));
  await assert.rejects(loadRecipe(file, []), /there is no key epoch\. Did you mean epochs\?/);
  await writeFile(file, '{');
  await assert.rejects(loadRecipe(file, []), /is no JSON/);
  await assert.rejects(loadRecipe(path.join(folder, 'none.json'), []), /cannot be read/);
});

test('the keys that can be set are those of the schema', () => {
  const keys = recipeKeys();
  for (const key of ['epochs', 'input.width', 'threshold.alpha', 'threshold.q', 'split.validation'])
    assert.ok(keys.includes(key), key);
  assert.ok(!keys.includes('$schema') && !keys.includes('threshold'));
});
