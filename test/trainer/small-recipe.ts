/** Tiny recipes and pictures for tests of models, losses and export. */
import { type Recipe, recipe as recipeSchema } from '../../config/recipe.ts';
import type { Picture } from '../../trainer/features.ts';
import { randomFor } from '../../trainer/random.ts';

/** A valid recipe around `model`; `more` replaces whole parts of it. */
export function smallRecipe(
  model: Record<string, unknown>,
  more: Record<string, unknown> = {},
  input: Record<string, unknown> = {},
): Recipe {
  return recipeSchema.parse({
    name: 'small',
    description: 'For tests.',
    intendedUse: 'Tests.',
    input: { width: 12, height: 12, channels: 1, fit: 'fill', kernel: 'lanczos3', ...input },
    model,
    residual: 'squared',
    optimizer: { kind: 'adam', learningRate: 0.01 },
    epochs: 4,
    batchSize: 4,
    split: { validation: 0.1, calibration: 0.3 },
    threshold: { rule: 'conformal' },
    ...more,
  });
}

/** Smooth waves of random phase and direction. */
export function wavePictures({ input }: Recipe, count: number, seed = 1): Picture[] {
  const random = randomFor(seed, 'waves');
  return Array.from({ length: count }, () => {
    const [phase, x, y] = [6 * random(), 0.2 + random() / 2, 0.2 + random() / 2];
    const pixels = new Uint8Array(input.frames * input.height * input.width * input.channels);
    for (let i = 0; i < pixels.length; i++) {
      const at = Math.floor(i / input.channels);
      const wave = Math.sin(phase + x * (at % input.width) + y * Math.floor(at / input.width));
      pixels[i] = Math.round(100 + 90 * wave + 20 * (i % input.channels));
    }
    return { pixels };
  });
}
