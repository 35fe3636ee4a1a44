/** The voices of a recipe by name. */
import type { Recipe } from '../../config/recipe.ts';

export type VoicesModel = Extract<Recipe['model'], { kind: 'voices' }>;
export type VoiceRecipe = VoicesModel['voices'][number];

/** `texture-centre`, or the kind where it has one view only. */
export function nameOfVoice(voice: VoiceRecipe): string {
  return voice.voice === 'texture' ? `texture-${voice.view}` : voice.voice;
}
