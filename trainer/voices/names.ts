/** The voices of a recipe, and their names. */
import type { Recipe } from '../../config/recipe.ts';

export type VoicesModel = Extract<Recipe['model'], { kind: 'voices' }>;
export type VoiceRecipe = VoicesModel['voices'][number];

/** With an encoder, those that it brings as well. */
export function voicesOf({ voices, encoder, encoderVoices }: VoicesModel): readonly VoiceRecipe[] {
  return encoder === undefined ? voices : [...voices, ...encoderVoices];
}

/** Whether it needs a pretrained encoder. */
export function seesThroughEncoder({ voice }: VoiceRecipe): boolean {
  return voice === 'encoder' || voice === 'encoder-patches';
}

/** `texture-centre`, or the kind where it has one view only. */
export function nameOfVoice(voice: VoiceRecipe): string {
  return voice.voice === 'texture' ? `texture-${voice.view}` : voice.voice;
}
