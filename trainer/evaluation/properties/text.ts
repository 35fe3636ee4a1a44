/** Text burned into a picture: patient, date, side or exposure, mostly near its rim. */
import type { GreyImage } from './grey-image.ts';

/** Grey levels by which a stroke stands out from its surroundings. */
const CONTRAST = 40;
/** Letters are this high, in pixels of a picture of at most 512 on its longer side. */
const HEIGHT = { least: 5, most: 40 };
/** Letters in a row that make a line of text. */
const LETTERS = 4;
/** Share of width and height that counts as margin, on each side. */
const MARGIN = 0.25;

/**
 * Share, 0..1, of the picture's margins covered by lines of text: strokes that stand out from their surroundings,
 * grouped to shapes of the size of letters, of which several of like height stand in a row (after the connected
 * components of Fletcher and Kasturi 1988).
 */
export function textShare(image: GreyImage): number {
  const { width, height } = image;
  const inset = insetOf(image);
  const margins = width * height - (width - 2 * inset.x) * (height - 2 * inset.y);
  const area = textLines(image).reduce((sum, line) => sum + boxArea(line), 0);
  return margins > 0 ? Math.min(1, area / margins) : 0;
}

/** Lines of text in the margins, bright and dark ones; the last row and column of a box belong to it. */
export function textLines(image: GreyImage): Box[] {
  const { width, height } = image;
  const inset = insetOf(image);
  const inMargin = ({ left, right, top, bottom }: Box) => {
    const x = (left + right) / 2;
    const y = (top + bottom) / 2;
    return x < inset.x || x >= width - inset.x || y < inset.y || y >= height - inset.y;
  };
  return [1, -1].flatMap((polarity) =>
    lines(shapes(strokes(image, polarity), width, height).filter((box) => isLetter(box) && inMargin(box))),
  );
}

function insetOf({ width, height }: GreyImage): { readonly x: number; readonly y: number } {
  return { x: Math.floor(width * MARGIN), y: Math.floor(height * MARGIN) };
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
  /** Stroke pixels in it. */
  count: number;
}

/** 1 where a pixel is brighter (polarity 1) or darker (-1) than the mean of its 15 x 15 surroundings. */
function strokes({ pixels, width, height }: GreyImage, polarity: number): Uint8Array {
  const radius = 7;
  const sums = new Float64Array((width + 1) * (height + 1)); // summed-area table (Crow 1984)
  for (let y = 0; y < height; y++)
    for (let x = 0, row = 0; x < width; x++) {
      row += pixels[y * width + x]!;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1]! + row;
    }
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
      const sum =
        sums[bottom * (width + 1) + right]! -
        sums[top * (width + 1) + right]! -
        sums[bottom * (width + 1) + left]! +
        sums[top * (width + 1) + left]!;
      const local = sum / ((bottom - top) * (right - left));
      if (polarity * (pixels[y * width + x]! - local) > CONTRAST) mask[y * width + x] = 1;
    }
  }
  return mask;
}

/** Boxes around the 8-connected shapes of the mask, which is consumed. */
function shapes(mask: Uint8Array, width: number, height: number): Box[] {
  const boxes: Box[] = [];
  const stack: number[] = [];
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] === 0) continue;
    const box = { left: width, right: 0, top: height, bottom: 0, count: 0 };
    mask[start] = 0;
    stack.push(start);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const x = at % width;
      const y = (at - x) / width;
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y);
      box.count++;
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++)
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++)
          if (mask[v * width + u] === 1) {
            mask[v * width + u] = 0;
            stack.push(v * width + u);
          }
    }
    boxes.push(box);
  }
  return boxes;
}

function isLetter(box: Box): boolean {
  const [width, height] = [box.right - box.left + 1, box.bottom - box.top + 1];
  const filled = box.count / (width * height);
  return (
    height >= HEIGHT.least && height <= HEIGHT.most && width <= 2 * height && filled >= 0.2 && filled <= 0.95
  );
}

/** Letters of like height that follow each other on one line, joined to the box of that line. */
function lines(letters: readonly Box[]): Box[] {
  const left = [...letters].sort((a, b) => a.left - b.left);
  const open: { box: Box; last: Box; letters: number }[] = [];
  for (const letter of left) {
    const line = open.find(({ last }) => follows(last, letter));
    if (line === undefined) open.push({ box: { ...letter }, last: letter, letters: 1 });
    else {
      line.box.right = Math.max(line.box.right, letter.right);
      line.box.top = Math.min(line.box.top, letter.top);
      line.box.bottom = Math.max(line.box.bottom, letter.bottom);
      line.last = letter;
      line.letters++;
    }
  }
  return open.filter((line) => line.letters >= LETTERS).map(({ box }) => box);
}

function follows(last: Box, next: Box): boolean {
  const heights = [last.bottom - last.top + 1, next.bottom - next.top + 1] as const;
  const [small, large] = [Math.min(...heights), Math.max(...heights)];
  const overlap = Math.min(last.bottom, next.bottom) - Math.max(last.top, next.top) + 1;
  const gap = next.left - last.right;
  return large <= 1.5 * small && overlap >= 0.7 * small && gap > 0 && gap <= large;
}

function boxArea({ left, right, top, bottom }: Box): number {
  return (right - left + 1) * (bottom - top + 1);
}
