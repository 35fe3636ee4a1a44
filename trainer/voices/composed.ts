/** The features of each voice of a recipe. */
import { energy } from './energy.ts';
import type { VoiceRecipe } from './names.ts';
import { sharpness } from './sharpness.ts';
import { texture } from './texture.ts';
import type { VoiceFeatures } from './voice.ts';

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
