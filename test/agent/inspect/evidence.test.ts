import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { evidenceOf, statisticsOf } from '../../../agent/inspect/evidence.ts';
import { placeOf } from '../../../agent/inspect/place.ts';
import { countIn, inWords, rangeIn } from '../../../agent/inspect/wording.ts';
import { manifest as manifestSchema } from '../../../config/bundle.ts';
import { EVIDENCE, evidence } from '../../../config/evidence.ts';
import { random } from '../../support/images.ts';

const SIDE = 9;
const CALM = new Float32Array(SIDE * SIDE);

interface Given {
  readonly voices?: Record<string, { value: number; good: readonly number[] }>;
  readonly statistics?: Record<string, { value: number; good: readonly number[] }>;
  readonly map?: Float32Array;
}

function evidenceOn({ voices = {}, statistics = {}, map = CALM }: Given) {
  const names = (of: object) => Object.keys(of).map((name) => ({ name }));
  const good = (of: NonNullable<Given['voices']>) =>
    Object.fromEntries(Object.entries(of).map(([name, one]) => [name, one.good.toSorted((a, b) => a - b)]));
  const values = (of: NonNullable<Given['voices']>) =>
    Float32Array.from(Object.values(of), ({ value }) => value);
  return evidenceOf(
    { voices: values(voices), statistics: values(statistics), map, mapHeight: SIDE, mapWidth: SIDE },
    {
      voices: names(voices),
      statistics: names(statistics),
      calibration: { scores: [1], mapAlarm: 1, voices: good(voices), statistics: good(statistics) },
    },
  );
}

/** `count` values from `from` to `to`, evenly spaced. */
const evenly = (count: number, from: number, to: number) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / Math.max(1, count - 1));

const sentencesOn = (given: Given) => evidenceOn(given).map(({ sentence }) => sentence);

test('sentences say by the count of good images what p says', () => {
  const good = evenly(300, 0.4, 0.6);
  assert.deepEqual(evidenceOn({ statistics: { brightness: { value: 0.1, good } } }), [
    {
      code: 'brightness-low',
      p: 2 / 301,
      sentence: 'darker than all 300 good images (brightness 10 %; good ones 40 to 60 %)',
    },
  ]);
  assert.deepEqual(evidenceOn({ statistics: { sharpness: { value: 0.4003, good } } }), [
    { code: 'sharpness-low', p: 4 / 301, sentence: 'sharpness: lower than in 299 of 300 good images' },
  ]);
  assert.deepEqual(
    sentencesOn({ statistics: { foreground: { value: 0.41, good: evenly(240, 0.7, 0.85) } } }),
    ['the image fills only 41 % of the frame, less than in all 240 good images (good ones 70 to 85 %)'],
  );
  assert.deepEqual(evidenceOn({ voices: { 'texture-foreground': { value: 9, good: evenly(19, -2, 2) } } }), [
    {
      code: 'texture-unlike',
      p: 1 / 20,
      sentence: 'fine texture unlike the good ones: further off than all 19 good images',
    },
  ]);
});

test('what is usual is not told, on either side; a voice speaks when it is high only', () => {
  const good = evenly(100, 0, 1);
  for (const value of [0.05, 0.5, 0.95])
    assert.deepEqual(
      evidenceOn({ statistics: { contrast: { value, good } }, voices: { energy: { value, good } } }),
      [],
    );
  assert.deepEqual(evidenceOn({ voices: { energy: { value: -50, good } } }), []);
});

test('edges: one image, few, all equal, ties, differences of rounding, no numbers, nothing calibrated', () => {
  const told = (value: number, good: readonly number[]) =>
    evidenceOn({ statistics: { brightness: { value, good } } }).length;
  assert.equal(told(0, [0.5]), 0);
  assert.equal(told(0, evenly(18, 0.4, 0.6)), 0);
  assert.equal(told(0, evenly(19, 0.4, 0.6)), 1); // beyond all of them
  assert.equal(told(0.4, evenly(19, 0.4, 0.6)), 0);
  const equal = new Array<number>(240).fill(0.7);
  assert.equal(told(0.7, equal), 0);
  assert.equal(told(0.7 - 1e-7, equal), 0);
  assert.deepEqual(sentencesOn({ statistics: { foreground: { value: 0.698, good: equal } } }), [
    'the image fills only 69.8 % of the frame, less than in all 240 good images (good ones 70.0 %)',
  ]);
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) assert.equal(told(value, equal), 0);
  const bare = { voices: Float32Array.of(99), map: CALM, mapHeight: SIDE, mapWidth: SIDE };
  const calibration = { scores: [1], mapAlarm: 1 };
  assert.deepEqual(evidenceOf(bare, { voices: [{ name: 'energy' }], calibration }), []);
  assert.deepEqual(evidenceOf(bare, { calibration }), []);
  assert.equal(countIn(1, 1), 'the only good image');
  assert.deepEqual(rangeIn(0.2, [0.5], true), { value: '20 %', range: 'good ones 50 %' });
});

test('names that the catalogue does not know are told by name', () => {
  const good = evenly(100, 0, 1);
  assert.deepEqual(
    sentencesOn({ voices: { 'new-voice': { value: 50, good } }, statistics: { hue: { value: -1, good } } }),
    [
      'new-voice: unlike the good ones, further off than all 100 good images',
      'hue: lower than in all 100 good images',
    ],
  );
});

test('strongest first, five at most, one of a subject', () => {
  const good = evenly(100, 0, 1);
  const at = (value: number) => ({ value, good });
  const codes = (given: Given) => evidenceOn(given).map(({ code }) => code);
  const statistics = {
    brightness: at(2),
    contrast: at(4),
    noise: at(-9),
    saturation: at(3),
    'red-green': at(8),
  };
  assert.deepEqual(codes({ statistics, voices: { energy: at(6) } }), [
    'noise-low',
    'red-green-high',
    'energy-unlike',
    'contrast-high',
    'saturation-high',
  ]);
  // The direction is worth more than a voice that says less, however strong.
  assert.deepEqual(codes({ statistics: { sharpness: at(-1) }, voices: { sharpness: at(99) } }), [
    'sharpness-low',
  ]);
  assert.deepEqual(codes({ statistics: { foreground: at(-1), box: at(-2) } }), ['box-small']);
});

test('blur is told as too little sharpness, and grain as grain, whichever is stronger', () => {
  const codesOf = (sharpness: number, noise: number) =>
    evidenceOn({
      statistics: {
        noise: { value: noise, good: evenly(100, 0.4, 0.6) },
        sharpness: { value: sharpness, good: evenly(100, 0.4, 0.6) },
      },
    }).map(({ code }) => code);
  assert.deepEqual(codesOf(0.3, 0.1), ['sharpness-low']);
  assert.deepEqual(codesOf(0.1, 0.3), ['sharpness-low']);
  assert.deepEqual(codesOf(0.9, 0.7), ['noise-high']);
  assert.deepEqual(codesOf(0.9, 0.3), ['sharpness-high', 'noise-low'], 'two causes');
  assert.deepEqual(codesOf(0.5, 0.1), ['noise-low']);
});

test('p is conformal: on exchangeable images no level is undershot more often than it promises', () => {
  const uniform = random(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const n = 99;
  const [draws, counts] = [4000, new Map<string, number>()];
  for (let i = 0; i < draws; i++) {
    const good = () => Array.from({ length: n }, normal);
    const told = evidenceOn({
      voices: { energy: { value: normal(), good: good() } },
      statistics: { sharpness: { value: normal(), good: good() } },
    });
    for (const { code, p, sentence } of told) {
      const one = code === 'energy-unlike';
      const key = one ? 'voice' : 'statistic';
      for (const level of [0.02, 0.05])
        if (p <= level) counts.set(`${key} ${level}`, (counts.get(`${key} ${level}`) ?? 0) + 1);
      const [, all, of] = /than (?:in )?(?:all (\d+)|(\d+) of 99) good images/.exec(sentence) ?? [];
      const beyond = Number(all ?? of);
      assert.ok(Math.abs(p - ((one ? 1 : 2) * (1 + n - beyond)) / (n + 1)) < 1e-12, sentence);
    }
  }
  // Exactly 0.02 and 0.05 for a voice; a doubled p takes even hundredths only: 0.02 and 0.04. Six standard errors.
  for (const [key, rate] of [
    ['voice 0.02', 0.02],
    ['voice 0.05', 0.05],
    ['statistic 0.02', 0.02],
    ['statistic 0.05', 0.04],
  ] as const) {
    const found = counts.get(key)! / draws;
    assert.ok(Math.abs(found - rate) < 6 * Math.sqrt((rate * (1 - rate)) / draws), `${key}: ${found}`);
  }
});

test('a percentage never contradicts its sentence', () => {
  const uniform = random(2);
  for (let i = 0; i < 3000; i++) {
    const good = Array.from({ length: 19 + Math.floor(uniform() * 80) }, () => 0.5 + 0.1 * uniform() ** 3);
    const [{ sentence } = { sentence: '' }] = evidenceOn({
      statistics: { foreground: { value: 0.49 + 0.13 * uniform(), good } },
    });
    if (sentence === '') continue;
    const numbers = /([\d.]+) % of the frame.*good ones ([\d.]+)(?: to ([\d.]+))? %\)/.exec(sentence)!;
    const [value, from, to = from] = numbers
      .slice(1, 4)
      .map((x) => (x === undefined ? undefined : Number(x)));
    assert.ok(sentence.includes('only') ? value! < from! : value! > to!, sentence);
  }
});

/** A map that is hot in `[top, bottom) x [left, right)`. */
function hot(...[top, bottom, left, right]: [number, number, number, number]): Float32Array {
  return Float32Array.from(CALM, (_, i) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    return row >= top && row < bottom && column >= left && column < right ? 5 : 0.5;
  });
}

test('a place is told where the map has one, of nine', () => {
  const size = { height: SIDE, width: SIDE };
  const place = (...box: Parameters<typeof hot>) => placeOf(hot(...box), size, 1);
  const words = [
    ['at the upper left', 'at the top', 'at the upper right'],
    ['at the left', 'in the middle', 'at the right'],
    ['at the lower left', 'at the bottom', 'at the lower right'],
  ];
  for (let row = 0; row < 3; row++)
    for (let column = 0; column < 3; column++)
      assert.equal(place(3 * row, 3 * row + 3, 3 * column, 3 * column + 3), words[row]![column]);
  assert.equal(placeOf(CALM, size, 1), null);
  assert.equal(place(0, 9, 0, 9), null);
  assert.equal(place(0, 9, 0, 4), null);
  const both = hot(0, 2, 0, 2).map((value, i) => Math.max(value, hot(7, 9, 7, 9)[i]!));
  assert.equal(placeOf(both, size, 1), null);
  assert.equal(placeOf(hot(0, 2, 0, 2).fill(Number.NaN, 40, 41), size, 1), 'at the upper left');
  const given = {
    voices: { 'texture-foreground': { value: 9, good: evenly(99, -2, 2) } },
    map: hot(7, 9, 0, 2),
  };
  assert.deepEqual(sentencesOn(given), [
    'fine texture unlike the good ones, most at the lower left: further off than all 99 good images',
  ]);
});

test('the catalogue: every sentence can be filled, is valid, and no word of it is a diagnosis', () => {
  const words = { good: 'g', value: 'v', range: 'r', place: '', name: 'n' };
  const page = readFileSync(new URL('../../../docs/evidence.md', import.meta.url), 'utf8');
  for (const [code, { sentence, meaning, advice }] of Object.entries(EVIDENCE)) {
    const filled = inWords(sentence, words);
    assert.doesNotMatch(filled, /[{}]/);
    assert.ok(evidence.safeParse({ code, p: 0.01, sentence: filled }).success);
    assert.match(meaning, /\.$/);
    assert.match(advice, /\.$/);
    assert.doesNotMatch(filled + meaning, /disease|patholog|diagnos|lesion|healthy|normal|defect|abnormal/i);
    assert.ok(page.includes(`\`${code}\``), `docs/evidence.md does not explain ${code}`);
  }
  assert.throws(() => inWords('{nothing}', words), /wants \{nothing\}/);
  assert.ok(!evidence.safeParse({ code: 'other', p: 0.01, sentence: 's' }).success);
});

test('statistics by name; none where the bundle has none', () => {
  const scores = { statistics: Float32Array.of(0.25, 0.5) };
  const calibration = { scores: [1], mapAlarm: 1 };
  const statistics = [{ name: 'brightness' }, { name: 'contrast' }];
  assert.deepEqual(statisticsOf(scores, { statistics, calibration }), { brightness: 0.25, contrast: 0.5 });
  assert.equal(statisticsOf(scores, { calibration }), undefined);
});

test('names in a manifest are words: nothing else reaches a message', () => {
  const accepts = (name: string) => manifestSchema.shape.voices.safeParse([{ name }]).success;
  assert.deepEqual(['texture-centre', '/home/x.jpg', 'A b', ''].map(accepts), [true, false, false, false]);
});
