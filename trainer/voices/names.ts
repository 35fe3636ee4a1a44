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

/** Detectors that hold features of training images, single ones or what they have in common at each place. */
const REMEMBERING: readonly VoiceRecipe['detector']['kind'][] = ['knn', 'padim'];

/** For the provenance of a bundle: voices that hold features of training images; empty where there are none. */
export function rememberedBy({ model }: Recipe): { remembers?: string[] } {
  if (model.kind !== 'voices') return {};
  const names = voicesOf(model)
    .filter(({ detector }) => REMEMBERING.includes(detector.kind))
    .map((voice) => `${nameOfVoice(voice)}: ${voice.detector.kind}`);
  return names.length === 0 ? {} : { remembers: names };
}
