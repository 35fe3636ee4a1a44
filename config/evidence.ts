/** The published catalogue of evidence: codes, what they mean, the sentences that they become, what to do. */
import { z } from 'zod';

interface Entry {
  readonly meaning: string;
  /**
   * `{good}`: "299 of 300 good images"; `{value}`: what was measured; `{range}`: "good ones 70 to 85 %"; `{place}`:
   * ", most at the lower left", or nothing; `{name}`: of a voice or statistic that this catalogue does not know.
   */
  readonly sentence: string;
  readonly advice: string;
}

const FOCUS = 'Check the focus, the distance, and whether lens or subject moved.';
const LIGHT = 'Check lamp, exposure and gain.';
const FRAMING = 'Check the distance, the zoom and whether something covers the view.';
const COLOUR = 'Check white balance, lamp and filter.';
const LOOK = 'Look at the map: it shows where the image departs from good ones.';

/** Everything that evidence can say. A code never changes its meaning; new ones may be added. */
export const EVIDENCE = {
  'sharpness-low': {
    meaning: 'There is less fine detail at the centre than in good images.',
    sentence: 'sharpness: lower than in {good}',
    advice: FOCUS,
  },
  'sharpness-high': {
    meaning: 'There is more fine detail at the centre than in good images.',
    sentence: 'sharpness: higher than in {good}',
    advice: 'Check for grain, sharpening by the camera, text or patterns that do not belong there.',
  },
  'sharpness-unlike': {
    meaning: 'Fine and coarse detail at the centre are not in the proportion of good images.',
    sentence: 'sharpness unlike the good ones: further off than {good}',
    advice: FOCUS,
  },
  'texture-unlike': {
    meaning: 'The fine texture of the foreground is unlike that of good images.',
    sentence: 'fine texture unlike the good ones{place}: further off than {good}',
    advice: LOOK,
  },
  'texture-centre-unlike': {
    meaning: 'The fine texture of the central part is unlike that of good images.',
    sentence: 'fine texture of the central part unlike the good ones: further off than {good}',
    advice: LOOK,
  },
  'energy-unlike': {
    meaning: 'Edges and lines, fine and coarse, are stronger, weaker or elsewhere than in good images.',
    sentence: 'edges and lines unlike the good ones{place}: further off than {good}',
    advice: LOOK,
  },
  'encoder-unlike': {
    meaning:
      'Shapes and structures in the middle, as a pretrained encoder sees them, are unlike those of good images.',
    sentence: 'shapes and structures unlike the good ones: further off than {good}',
    advice: 'Check that the right subject is in view, whole and from the usual side.',
  },
  'encoder-patches-unlike': {
    meaning:
      'A small part stands out from the rest, as a pretrained encoder sees it, more than in good images.',
    sentence: 'a small part stands out from the rest: further off than in {good}',
    advice: LOOK,
  },
  'voice-unlike': {
    meaning: 'Another part of what is looked at, named in the sentence, is unlike that of good images.',
    sentence: '{name}: unlike the good ones, further off than {good}',
    advice: LOOK,
  },
  'brightness-low': {
    meaning: 'The image is darker than good images.',
    sentence: 'darker than {good} (brightness {value}; {range})',
    advice: LIGHT,
  },
  'brightness-high': {
    meaning: 'The image is brighter than good images.',
    sentence: 'brighter than {good} (brightness {value}; {range})',
    advice: LIGHT,
  },
  'contrast-low': {
    meaning: 'Dark and bright parts differ less than in good images.',
    sentence: 'contrast: lower than in {good}',
    advice: 'Check for haze, dirt on the lens, stray light, and the exposure.',
  },
  'contrast-high': {
    meaning: 'Dark and bright parts differ more than in good images.',
    sentence: 'contrast: higher than in {good}',
    advice: LIGHT,
  },
  'noise-low': {
    meaning: 'There is less grain than in good images.',
    sentence: 'grain: less than in {good}',
    advice: 'Check for blur, and for smoothing or strong compression by the camera.',
  },
  'noise-high': {
    meaning: 'There is more grain than in good images.',
    sentence: 'grain: more than in {good}',
    advice: 'Check the gain, and whether there is enough light.',
  },
  'foreground-small': {
    meaning: 'Less of the frame is filled than in good images.',
    sentence: 'the image fills only {value} of the frame, less than in {good} ({range})',
    advice: FRAMING,
  },
  'foreground-large': {
    meaning: 'More of the frame is filled than in good images.',
    sentence: 'the image fills {value} of the frame, more than in {good} ({range})',
    advice: FRAMING,
  },
  'box-small': {
    meaning: 'The rectangle around the foreground is smaller than in good images.',
    sentence: 'the image spans only {value} of the frame, less than in {good} ({range})',
    advice: FRAMING,
  },
  'box-large': {
    meaning: 'The rectangle around the foreground is larger than in good images.',
    sentence: 'the image spans {value} of the frame, more than in {good} ({range})',
    advice: FRAMING,
  },
  'saturation-low': {
    meaning: 'Fewer pixels are at full brightness than in good images.',
    sentence: 'fewer pixels at full brightness than in {good} ({value}; {range})',
    advice: LIGHT,
  },
  'saturation-high': {
    meaning: 'More pixels are at full brightness than in good images.',
    sentence: 'overexposed: more pixels at full brightness than in {good} ({value}; {range})',
    advice: LIGHT,
  },
  'red-green-low': {
    meaning: 'The image has less red, against green, than good images.',
    sentence: 'colour: less red against green than in {good}',
    advice: COLOUR,
  },
  'red-green-high': {
    meaning: 'The image has more red, against green, than good images.',
    sentence: 'colour: more red against green than in {good}',
    advice: COLOUR,
  },
  'blue-green-low': {
    meaning: 'The image has less blue, against green, than good images.',
    sentence: 'colour: less blue against green than in {good}',
    advice: COLOUR,
  },
  'blue-green-high': {
    meaning: 'The image has more blue, against green, than good images.',
    sentence: 'colour: more blue against green than in {good}',
    advice: COLOUR,
  },
  'statistic-low': {
    meaning: 'Another simple quantity, named in the sentence, is lower than in good images.',
    sentence: '{name}: lower than in {good}',
    advice: 'Compare the image with good ones.',
  },
  'statistic-high': {
    meaning: 'Another simple quantity, named in the sentence, is higher than in good images.',
    sentence: '{name}: higher than in {good}',
    advice: 'Compare the image with good ones.',
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type EvidenceCode = keyof typeof EVIDENCE;
const codes = Object.keys(EVIDENCE) as [EvidenceCode, ...EvidenceCode[]];

/** Entries in one verdict at most. */
export const MOST_EVIDENCE = 5;

export const evidence = z.object({
  code: z.enum(codes),
  p: z
    .number()
    .gt(0)
    .max(1)
    .describe(
      'How rare this alone is among good images: one-sided for what is "unlike", two-sided (doubled) for low and high.',
    ),
  sentence: z.string().describe('The code in words. Holds no file name.'),
});

export type Evidence = z.infer<typeof evidence>;
