/** Images as an evaluation has scored and measured them, for tests of what becomes of them. */
import type { Properties, ScoredImage } from '../../trainer/evaluation/types.ts';

export function properties(change: Partial<Properties> = {}): Properties {
  return {
    bytes: 1000,
    width: 64,
    height: 64,
    channels: 3,
    format: 'jpeg',
    jpegQuality: 90,
    mean: 100,
    deviation: 20,
    sharpness: 1,
    border: 0,
    text: 0,
    thumbnail: new Uint8Array(1024).fill(100),
    ...change,
  };
}

export function image(change: Partial<ScoredImage>): ScoredImage {
  return {
    name: 'a.jpg',
    path: null,
    group: null,
    sha256: '',
    pictureSha256: '',
    label: 'good',
    kind: 'good',
    score: 0,
    p: 1,
    verdict: 'pass',
    order: 0,
    properties: properties(),
    ...change,
  };
}

export const options = { refused: [], orderedBy: 'name', reference: null, seed: 1 } as const;
