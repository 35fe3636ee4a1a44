/** From the voices of a recipe to their names and features. */
import type { Recipe } from '../../config/recipe.ts';
import { energy } from './energy.ts';
import { sharpness } from './sharpness.ts';
import { texture } from './texture.ts';
import type { VoiceFeatures } from './voice.ts';

export type VoicesModel = Extract<Recipe['model'], { kind: 'voices' }>;
export type VoiceRecipe = VoicesModel['voices'][number];

/** `texture-centre`, or the kind where it has one view only. */
export function nameOfVoice(voice: VoiceRecipe): string {
  return voice.voice === 'texture' ? `texture-${voice.view}` : voice.voice;
}

export function featuresOf(voice: VoiceRecipe): VoiceFeatures {
  switch (voice.voice) {
    case 'sharpness':
      return sharpness;
    case 'energy':
      return energy;
    case 'texture': {
      const { view, threshold } = voice;
      return texture((views) => (view === 'centre' ? views.centre : views.foregroundGrey), threshold);
    }
  }
}
