import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { ConfigError } from '../../config/errors.ts';
import { explainRecipe, listRecipes, loadRecipe } from '../../trainer/recipe.ts';
import { parseChange, recipeKeys } from '../../trainer/recipe-keys.ts';
import { run, temporary } from './launcher.ts';

const load = (...changes: string[]) => loadRecipe('fundus', changes.map(parseChange));

test('every recipe of the house loads', async () => {
  assert.deepEqual(
    (await listRecipes()).map((r) => r.name),
    ['auto', 'brain-mri', 'chest-xray', 'fundus', 'malaria', 'mnist'],
  );
});

test('what the examples of the help and of the documents set, the recipes have', async () => {
  const root = path.join(import.meta.dirname, '../..');
  const { stdout } = await run('trainer', ['fit', '--help']);
  const documents = ['README.md', 'docs/recipes.md', 'docs/encoders.md'];
  const texts = await Promise.all(documents.map((name) => readFile(path.join(root, name), 'utf8')));
  const examples = [stdout, ...texts].join('\n').match(/^(?:npx|) *trainer fit .*--.*$/gm) ?? [];
  assert.ok(examples.length > 15, `${examples.length} examples`);
  for (const example of examples) {
    const values = (option: string) =>
      [...example.matchAll(new RegExp(`--${option} (?:'([^']*)'|(\\S+))`, 'g'))].map((m) => m[1] ?? m[2]!);
    const changes = [
      ...values('set'),
      ...values('encoder').map((name) => `model.encoder=${name}`),
      ...values('frames').map((count) => `input.frames=${count}`),
    ].map(parseChange);
    await assert.doesNotReject(loadRecipe(values('recipe')[0] ?? 'auto', changes), example);
  }
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
  ['epochs=none', /epochs is "none": expected a number, but it is a text\.$/],
  ['epochs=1.5', /epochs is 1\.5: expected a whole number, but it is a fraction\.$/],
  ['epochs=0', /epochs is 0: must be at least 1\.$/],
  ['model.filters=[]', /model\.filters is \[\]: must have at least 1 entry\.$/],
  ['threshold.alpha=1.5', /threshold\.alpha is 1\.5: must be less than 1\.$/],
  ['threshold.rule=magic', /threshold\.rule is "magic": expected one of conformal, mean-std, quantile, /],
  ['threshold.k=2', /threshold\.k does not go with \{"rule":"conformal"/],
  ['residual=sqared', /residual is "sqared".*Did you mean squared\?/],
  ['model.kind=vea', /model\.kind is "vea".*Did you mean vae\?/],
  ['model.latnet=3', /no such key.*Did you mean model\.latent\?/],
  ['model.units=3', /model\.units does not go with \{"kind":"conv"/],
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
  await writeFile(file, JSON.stringify({ ...fundus, epochs: undefined, model: {} }));
  await assert.rejects(loadRecipe(file, []), /own\.json: model\.kind: expected one of conv, /);
  await writeFile(file, JSON.stringify({ ...fundus, epochs: undefined }));
  await assert.rejects(loadRecipe(file, []), /own\.json: epochs: missing; expected a number\.$/);
  await writeFile(file, '[]');
  await assert.rejects(
    loadRecipe(file, []),
    /own\.json: expected an object, such as .*, but it is a list\.$/,
  );
  await writeFile(file, '{');
  await assert.rejects(loadRecipe(file, []), /is no JSON/);
  await assert.rejects(loadRecipe(path.join(folder, 'none.json'), []), /cannot be read/);
});

test('the keys that can be set are those of the schema', () => {
  const keys = recipeKeys();
  for (const key of ['epochs', 'input.width', 'threshold.alpha', 'threshold.q', 'split.validation'])
    assert.ok(keys.has(key), key);
  assert.ok(!keys.has('$schema') && !keys.has('threshold'));
});

test('another kind of model keeps the settings that both know, and drops the others', async () => {
  const { model } = await load('model.kind=vae', 'model.latent=4');
  assert.equal(model.kind, 'vae');
  assert.deepEqual(model.kind === 'vae' && [model.filters, model.latent, model.beta], [[32, 64, 128], 4, 1]);
  assert.deepEqual((await load('model.kind=dense')).model, {
    kind: 'dense',
    units: [256, 32],
    activation: 'relu',
  });
  assert.deepEqual((await load('model.kind=dense', 'model.units=64,8')).model, {
    kind: 'dense',
    units: [64, 8],
    activation: 'relu',
  });
});

test('every value of every recipe is explained by its name or a meaning', async () => {
  for (const recipe of await listRecipes()) {
    const rows = explainRecipe(recipe);
    assert.ok(rows.some(({ key, value }) => key === 'model.kind' && value === recipe.model.kind));
    assert.ok(rows.find(({ key }) => key === 'model.kind')!.meaning.length > 10);
    assert.ok(rows.filter(({ meaning }) => meaning !== '').length > 10, recipe.name);
  }
});
