/** Figures as people read them. What is rounded never becomes 0 or 100 by rounding. */

/** Three significant digits, without trailing zeros. */
export const short = (value: number): string => String(Number(value.toPrecision(3)));

/** `1 image`, `2 images`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;

/** A share 0..1 with as many digits as it deserves: `5 %`, `0.02 %`, `99.97 %`; `100 %` only when it is all. */
export function share(value: number): string {
  if (value < 1e-9) return '0 %';
  if (value > 1 - 1e-9) return '100 %';
  const hundredths = value * 100;
  if (hundredths > 99.99) return 'over 99.99 %';
  if (hundredths >= 99.5) return `${Math.floor(hundredths * 100) / 100} %`;
  return hundredths >= 9.95 ? `${Math.round(hundredths)} %` : `${Number(hundredths.toPrecision(2))} %`;
}

/** `2 % to 9 %`. */
export const range = ({ low, high }: { readonly low: number; readonly high: number }): string =>
  `${share(low)} to ${share(high)}`;

/** A figure 0..1 with `digits` decimals; `1.000` and `0.000` only when it is just that. */
export function figure(value: number, digits = 3): string {
  const step = 10 ** -digits;
  if (value < 1 && value > 1 - step / 2) return `> ${(1 - step).toFixed(digits)}`;
  if (value > 0 && value < step / 2) return `< ${step.toFixed(digits)}`;
  return value.toFixed(digits);
}

/** `p = 0.500`, `p < 0.001`. */
export function equation(name: string, value: number): string {
  const said = figure(value);
  return /^[<>]/.test(said) ? `${name} ${said}` : `${name} = ${said}`;
}

/** `about 83 of 100`: the number, 1..99, with what stands before it. */
export function ofHundred(value: number): string {
  if (value < 0.005) return 'fewer than 1';
  if (value > 0.995) return 'more than 99';
  return `about ${Math.min(99, Math.max(1, Math.round(value * 100)))}`;
}

/** A name of at most `most` characters: a longer one loses its middle, as its beginning and end tell it from others. */
export function shortened(name: string, most: number): string {
  const letters = [...name];
  if (letters.length <= most) return name;
  const end = Math.floor((most - 1) / 2);
  return `${letters.slice(0, most - 1 - end).join('')}…${letters.slice(letters.length - end).join('')}`;
}

/** `12.3 kB`, `4.5 MB`. */
export function size(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  return bytes < 1e6 ? `${short(bytes / 1e3)} kB` : `${short(bytes / 1e6)} MB`;
}

/** `3.1 million`: large counts in words. */
export function large(value: number): string {
  if (value < 1e4) return value.toLocaleString('en');
  if (value < 1e6) return `${short(value / 1e3)} thousand`;
  return value < 1e9 ? `${short(value / 1e6)} million` : `${short(value / 1e9)} billion`;
}
