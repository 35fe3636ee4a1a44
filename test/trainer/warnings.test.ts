import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import type { Properties, ScoredImage } from '../../trainer/evaluation/types.ts';
import { findWarnings, WARNING_CODES } from '../../trainer/evaluation/warnings/find.ts';
import type { WarningInput } from '../../trainer/evaluation/warnings/input.ts';
import { randomFor } from '../../trainer/random.ts';
import { cleanScene, inputOf, normal, type Scene } from './warnings-input.ts';

const codes = (input: WarningInput) => findWarnings(input).map(({ code }) => code);
const warningsOf = (scene: Scene, changes: Partial<WarningInput> = {}) =>
  findWarnings(inputOf(scene, changes));

/** A scene with a flaw put in; the flaw's warning and its neighbours are looked at. */
function flawed(seed: number, put: (scene: Scene) => void, size?: Parameters<typeof cleanScene>[1]): Scene {
  const scene = cleanScene(seed, size);
  put(scene);
  return scene;
}

function change(image: ScoredImage, properties: Partial<Properties>): ScoredImage {
  return { ...image, properties: { ...image.properties, ...properties } };
}

/** Changes images of one label, by their place among them. */
function changeAll(
  scene: Scene,
  label: 'good' | 'poor',
  to: (image: ScoredImage, index: number) => ScoredImage,
): void {
  let index = 0;
  scene.images = scene.images.map((image) => (image.label === label ? to(image, index++) : image));
}

/** Fires with `code` on two seeds, and never before the flaw is put in. */
function fires(
  code: string,
  put: (scene: Scene) => void,
  look: (warning: ReturnType<typeof findWarnings>[number]) => void = () => {},
): void {
  for (let seed = 100; seed < 102; seed++) {
    const size = { reference: 60, good: 50, poor: 40 };
    assert.ok(
      !codes(inputOf(cleanScene(seed, size))).includes(code),
      `${code} without the flaw, seed ${seed}`,
    );
    const found = warningsOf(flawed(seed, put, size)).find((warning) => warning.code === code);
    assert.ok(found, `${code} is silent, seed ${seed}`);
    assert.match(found.message, /\d/);
    assert.ok(found.advice.length > 20);
    look(found);
  }
}

test('clean evaluations: hardly one in twenty gets any warning', () => {
  const rounds = 30;
  const loud: string[] = [];
  for (let seed = 1000; seed < 1000 + rounds; seed++) {
    const found = codes(inputOf(cleanScene(seed, { reference: 60, good: 50, poor: 40 })));
    if (found.length > 0) loud.push(`${seed}: ${found.join(' ')}`);
  }
  assert.ok(loud.length <= rounds * 0.05, loud.join('\n'));
});

test('a test image that served for training: same file, or same picture in another file', () => {
  fires(
    'shared-images',
    (scene) => {
      changeAll(scene, 'good', (image, i) =>
        i === 3 ? { ...image, sha256: scene.train[5]!.sha256 } : image,
      );
      changeAll(scene, 'poor', (image, i) =>
        i === 2 ? { ...image, pictureSha256: scene.calibration[7]!.pictureSha256 } : image,
      );
    },
    ({ figures, severity }) => {
      assert.equal(severity, 'serious');
      assert.deepEqual([figures.sameBytes, figures.samePicture, figures.nearCopies], [1, 1, 0]);
    },
  );
});

test('a near copy of a training image: brighter, with noise', () => {
  fires(
    'shared-images',
    (scene) => {
      const random = randomFor(scene.seed, 'noise');
      const { thumbnail } = scene.train[11]!.properties;
      const copy = thumbnail.map((v) => Math.min(255, Math.max(0, 0.9 * v + 15 + normal(random))));
      changeAll(scene, 'good', (image, i) => (i === 4 ? change(image, { thumbnail: copy }) : image));
    },
    ({ figures }) => assert.deepEqual([figures.sameBytes, figures.nearCopies], [0, 1]),
  );
});

test('blank pictures are no copies of each other', () => {
  const scene = cleanScene(7);
  const thumbnail = Uint8Array.from({ length: 1024 }, (_, i) => (i % 32 < 20 ? 3 : 5)); // the lamp was off
  scene.train = scene.train.map((image, i) =>
    i < 5 ? { ...image, properties: { ...image.properties, thumbnail } } : image,
  );
  changeAll(scene, 'poor', (image, i) => (i < 20 ? change(image, { thumbnail }) : image));
  const found = codes(inputOf(scene));
  assert.ok(!found.includes('shared-images') && !found.includes('contradictory-labels'), found.join());
});

test('pictures of a domain where all are alike are no copies of each other', () => {
  for (let seed = 0; seed < 3; seed++) {
    // Six numbers make a picture: among hundreds, many pairs correlate above 0.985.
    const scene = cleanScene(seed, { reference: 60, good: 50, poor: 10 });
    const random = randomFor(seed, 'alike');
    const alike = () => {
      const own = Array.from({ length: 6 }, () => 12 * normal(random));
      const value = (x: number, y: number) =>
        own.reduce(
          (sum, v, i) => sum + v * Math.cos((x * Math.cos(i) + y * Math.sin(i)) / 6 + i),
          120 + 30 * Math.sin(x / 5),
        );
      return Uint8Array.from({ length: 1024 }, (_, i) =>
        Math.max(0, Math.min(255, value(i % 32, Math.floor(i / 32)) + 1.5 * normal(random))),
      );
    };
    const dress = <T extends { properties: Properties }>(image: T): T => ({
      ...image,
      properties: { ...image.properties, thumbnail: alike() },
    });
    scene.train = scene.train.map(dress);
    scene.calibration = scene.calibration.map(dress);
    scene.images = scene.images.map(dress);
    assert.ok(!codes(inputOf(scene)).includes('shared-images'), `seed ${seed}`);
  }
});

test('a patient on both sides', () => {
  fires('shared-groups', (scene) => {
    scene.train = scene.train.map((image, i) => (i === 0 ? { ...image, group: 'patient 9' } : image));
    changeAll(scene, 'good', (image, i) => (i === 0 ? { ...image, group: 'patient 9' } : image));
  });
});

test('a score the wrong way round, and one that is chance', () => {
  fires('inverted-score', (scene) => {
    changeAll(scene, 'poor', (image) => ({ ...image, score: 1 / (1 + image.score) }));
    changeAll(scene, 'good', (image) => ({ ...image, score: 0.4 + image.score }));
  });
  fires('chance-score', (scene) => {
    const scores = scene.images.map(({ score }) => score).sort((a, b) => a - b);
    const order = (i: number) => (i * 37) % scores.length; // one of every size for either label
    scene.images = scene.images.map((image, i) => ({ ...image, score: scores[order(i)]! }));
  });
});

test('a trivial rule that is as good; an unknown one is no rule', () => {
  fires('trivial-baseline', (scene) =>
    changeAll(scene, 'poor', (image) => change(image, { mean: image.properties.mean / 20 })),
  );
  const scene = cleanScene(100);
  const { evaluation } = inputOf(scene);
  const unknown = [{ name: 'nearest', rule: 'far is poor', auroc: null, caught: null }];
  assert.ok(
    !codes(inputOf(scene, { evaluation: { ...evaluation, baselines: unknown } })).includes(
      'trivial-baseline',
    ),
  );
});

test('a property that gives the class away', () => {
  const flaws: Readonly<Record<string, Partial<Properties>>> = {
    'shortcut-size': { width: 512, height: 384 },
    'shortcut-aspect': { width: 1000, height: 480 },
    'shortcut-channels': { channels: 4 },
    'shortcut-format': { format: 'webp' },
    'shortcut-jpeg-quality': { jpegQuality: 40 },
  };
  for (const [code, flaw] of Object.entries(flaws))
    fires(code, (scene) => changeAll(scene, 'poor', (image, i) => (i % 5 > 0 ? change(image, flaw) : image)));
  for (const label of ['good', 'poor'] as const) {
    const without = label === 'good' ? 'poor' : 'good';
    for (const key of ['border', 'text'] as const)
      fires(`shortcut-${key}`, (scene) => {
        changeAll(scene, label, (image, i) => change(image, { [key]: i % 6 > 0 ? 0.1 : 0 }));
        changeAll(scene, without, (image, i) => change(image, { [key]: i % 6 > 0 ? 0 : 0.1 }));
      });
  }
});

test('one patient with many pictures of another kind is no shortcut', () => {
  const scene = flawed(3, (s) =>
    changeAll(s, 'poor', (image, i) =>
      i < 24 ? { ...change(image, { channels: 4, width: 100, height: 100 }), group: 'one' } : image,
    ),
  );
  const found = codes(inputOf(scene));
  assert.ok(!found.some((code) => code.startsWith('shortcut')), found.join());
});

test('what belongs to poor quality itself is no shortcut', () => {
  const scene = flawed(4, (s) =>
    changeAll(s, 'poor', (image) => change(image, { bytes: 900, sharpness: -1, mean: 5, deviation: 2 })),
  );
  const found = codes(inputOf(scene));
  assert.ok(!found.some((code) => code.startsWith('shortcut')), found.join());
});

test('good test images that are shifted: in their scores, or in what they look like', () => {
  fires(
    'shifted-captures',
    (scene) => changeAll(scene, 'good', (image) => ({ ...image, score: image.score * 1.8 })),
    ({ message }) => assert.match(message, /the score is higher/),
  );
  fires(
    'shifted-captures',
    (scene) => changeAll(scene, 'good', (image) => change(image, { mean: image.properties.mean - 22 })),
    ({ message }) => assert.match(message, /brightness is lower/),
  );
});

test('too few calibration images for what is promised', () => {
  const scene = cleanScene(8);
  const few = (n: number, alpha: number | null) =>
    warningsOf({ ...scene, calibration: scene.calibration.slice(0, n) }, { alpha }).find(
      ({ code }) => code === 'small-calibration',
    );
  assert.equal(few(10, 0.05)?.severity, 'serious');
  assert.equal(few(10, 0.05)?.figures.needed, 19);
  assert.equal(few(25, 0.05)?.severity, 'notable');
  assert.equal(few(100, 0.01)?.severity, 'notable');
  assert.equal(few(100, 0.05), undefined);
  const rule = { rule: { rule: 'mean-std', k: 1 }, upper: 1, lower: null, revision: 1 } as const;
  const withRule = (n: number) =>
    codes(
      inputOf({ ...scene, calibration: scene.calibration.slice(0, n) }, { alpha: null, threshold: rule }),
    );
  assert.ok(withRule(8).includes('small-calibration'));
  assert.ok(!withRule(50).includes('small-calibration'));
});

test('a picture with both labels: in the test, or good in training', () => {
  fires('contradictory-labels', (scene) => {
    const twin = scene.images.find(({ label }) => label === 'good')!;
    changeAll(scene, 'poor', (image, i) =>
      i === 1 ? { ...image, pictureSha256: twin.pictureSha256 } : image,
    );
  });
  fires('contradictory-labels', (scene) => {
    const { thumbnail } = scene.train[2]!.properties;
    changeAll(scene, 'poor', (image, i) =>
      i === 1 ? change(image, { thumbnail: thumbnail.map((v) => Math.min(255, v + 2)) }) : image,
    );
  });
});

test('good images far among the poor ones; a long tail is none', () => {
  const apart = (scene: Scene, good: (i: number) => number) => {
    changeAll(scene, 'good', (image, i) => ({ ...image, score: good(i) }));
    changeAll(scene, 'poor', (image, i) => ({ ...image, score: 10 + i / 10 }));
  };
  fires('stray-labels', (scene) => apart(scene, (i) => (i < 5 ? 12 + i / 3 : 1 + i / 60)));
  const tail = cleanScene(5);
  apart(tail, (i) => (1 / (1 - i / 61)) ** 1.2);
  assert.ok(!codes(inputOf(tail)).includes('stray-labels'));
});

test('a score that drifts with the order of capture', () => {
  fires(
    'capture-order',
    (scene) =>
      changeAll(scene, 'good', (image) => ({ ...image, score: image.score * (1 + image.order / 15) })),
    ({ figures }) => assert.ok(Number(figures.rho) > 0.3),
  );
});

test('files that could not be read are told of', () => {
  const scene = cleanScene(6);
  const refused = Array.from({ length: 9 }, (_, i) => ({
    name: `broken-${i}.jpg`,
    reason: 'truncated' as const,
    message: 'The jpeg ends before its image is complete (12 bytes).',
  }));
  assert.deepEqual(codes(inputOf(scene, { refused })), ['refused-images']);
  assert.deepEqual(codes(inputOf(scene, { refused: refused.slice(0, 2) })), []);
});

test('what is not known is not warned of: no reference, one label, few images, no image', () => {
  const scene = cleanScene(6);
  assert.deepEqual(codes(inputOf(scene, { reference: null })), []);
  const goodOnly = { ...scene, images: scene.images.filter(({ label }) => label === 'good') };
  const input = inputOf(goodOnly);
  assert.deepEqual(codes({ ...input, evaluation: { ...input.evaluation, auroc: null, baselines: [] } }), []);
  for (const images of [[], scene.images.slice(0, 1), scene.images.slice(58, 64)])
    assert.deepEqual(
      codes({ ...input, images, evaluation: { ...input.evaluation, auroc: null, baselines: [] } }),
      [],
    );
});

test('equal input gives equal warnings, the serious ones first', () => {
  const scene = flawed(9, (s) => {
    changeAll(s, 'good', (image) => ({ ...image, score: image.score * (1 + image.order / 20) }));
    changeAll(s, 'poor', (image) => change(image, { channels: 4 }));
  });
  const first = warningsOf(scene);
  assert.deepEqual(warningsOf(scene), first);
  const severities = first.map(({ severity }) => severity);
  assert.ok(severities.includes('serious') && severities.includes('notable'), severities.join());
  assert.deepEqual(severities, severities.toSorted().reverse());
});

test('every code is explained in docs/warnings.md, and no other', async () => {
  const text = await readFile(new URL('../../docs/warnings.md', import.meta.url), 'utf8');
  const explained = [...text.matchAll(/^## `([a-z-]+)`$/gm)].map(([, code]) => code);
  assert.deepEqual(explained, WARNING_CODES);
});
