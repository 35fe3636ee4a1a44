/** `--mask left,top,width,height`, as typed. */

import { ConfigError } from '../config/errors.ts';
import { type Region, region as regionSchema } from '../config/preprocessing.ts';

const EXPECTED =
  'Expected left,top,width,height of what is blanked, all in pixels or all in per cent of the upright image, such as --mask 0,92%,40%,8%.';

/** Per cent; what is rounded may end a little behind the image. */
const BEYOND = 101;

/**
 * One value with a per cent sign makes all of them shares; one without beside it must be 0.
 * @throws ConfigError saying what was expected.
 */
export function parseMask(text: string): Region {
  const parts = text.split(',').map((part) => part.trim());
  const inPercent = parts.some((part) => part.endsWith('%'));
  const values = parts.map((part) => Number(part.replace(/%$/, '') || Number.NaN));
  const mixed = inPercent && parts.some((part, i) => !part.endsWith('%') && values[i] !== 0);
  const [left, top, width, height] = values;
  const parsed = regionSchema.safeParse({ unit: inPercent ? 'percent' : 'pixels', left, top, width, height });
  if (parts.length !== 4 || mixed || !parsed.success) throw new ConfigError(`--mask ${text}: ${EXPECTED}`);
  if (inPercent && (left! + width! > BEYOND || top! + height! > BEYOND))
    throw new ConfigError(`--mask ${text} reaches beyond the image: at most 100 %. ${EXPECTED}`);
  if (inPercent && width === 100 && height === 100)
    throw new ConfigError(`--mask ${text} blanks the whole image. ${EXPECTED}`);
  return parsed.data;
}
