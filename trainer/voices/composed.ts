/** The features of each voice of a recipe. */
import type { OpenedNetwork } from '../encoders/open.ts';
import { encoder } from './encoder.ts';
import { encoderPatches } from './encoder-patches.ts';
import { energy } from './energy.ts';
import type { VoiceRecipe } from './names.ts';
import { sharpness } from './sharpness.ts';
import { texture } from './texture.ts';
import type { VoiceFeatures } from './voice.ts';

/** `network`: required by voices that see through one; `checkVoices` refuses a recipe that has such a voice and none. */
export function featuresOf(voice: VoiceRecipe, network: OpenedNetwork | null): VoiceFeatures {
  switch (voice.voice) {
    case 'sharpness':
      return sharpness;
    case 'energy':
      return energy;
    case 'texture': {
      const { view, threshold } = voice;
      return texture((views) => (view === 'centre' ? views.centre : views.foregroundGrey), threshold);
    }
    case 'encoder':
      return encoder(network!, voice.tap);
    case 'encoder-patches':
      return encoderPatches(network!, voice.taps);
  }
}
