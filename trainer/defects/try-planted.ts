/** The smallest defects that a new bundle finds, tried and told. */
import type { Recipe } from '../../config/recipe.ts';
import type { Console } from '../console.ts';
import { timedBar } from '../evaluation/progress.ts';
import { describeTrials } from './smallest.ts';
import { type FoldOptions, tryFolds } from './try-folds.ts';
import type { Trials } from './types.ts';

/** null: the model is none of voices, whose folds alone score images that they have not seen. */
export async function tryPlanted(
  recipe: Recipe,
  options: Omit<FoldOptions, 'onBegin'>,
  console: Console,
): Promise<Trials | null> {
  if (recipe.model.kind !== 'voices') return null;
  let end = () => {};
  const trials = await tryFolds({
    ...options,
    onBegin: (images) => {
      const bar = timedBar(console, 'planting defects', images);
      end = bar.end;
      return bar.onImage;
    },
  }).finally(() => end());
  for (const line of describeTrials(trials)) console.say(line);
  return trials;
}
