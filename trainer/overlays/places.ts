/** Where in most images of a device something is written. */
import type { Box } from '../../agent/inspect/foreground.ts';
import type { Region } from '../../config/preprocessing.ts';

export interface Place {
  /** Whole per cents of width and height. */
  readonly region: Extract<Region, { unit: 'percent' }>;
  /** Images with a line of text in it. */
  readonly images: number;
}

/** Text in a smaller share of the images is none that the device writes ... */
const COMMON = 0.3;
/** ... nor is that in fewer images. */
const FEWEST = 3;
/** Cells of a side: one per cent each. */
const CELLS = 100;
/** Room around the lines, per cent of a side. */
const ROOM = 1;

/** `lines` of each image, as shares of width and height. Places that hang together are one. */
export function findPlaces(lines: readonly (readonly Box[])[]): Place[] {
  const counts = new Uint32Array(CELLS * CELLS);
  for (const some of lines) {
    const covered = new Set(some.flatMap(cellsOf));
    for (const cell of covered) counts[cell]! += 1;
  }
  const least = Math.max(FEWEST, COMMON * lines.length);
  return componentsOf(counts, least).map((core) => {
    const within = lines.map((some) => some.filter((line) => middleIn(line, core)));
    return {
      region: around([core, ...within.flat()]),
      images: within.filter((some) => some.length > 0).length,
    };
  });
}

/** With the cells around it, so that the letters of a date that changes in length still meet. */
function cellsOf({ left, top, right, bottom }: Box): number[] {
  const clip = (cell: number) => Math.min(CELLS - 1, Math.max(0, cell));
  const cells: number[] = [];
  for (let y = clip(Math.floor(top * CELLS)); y <= clip(Math.floor(bottom * CELLS)); y++)
    for (let x = clip(Math.floor(left * CELLS)); x <= clip(Math.floor(right * CELLS)); x++)
      cells.push(y * CELLS + x);
  return cells;
}

/** Boxes around cells that so many images cover and that touch each other, also by a corner. */
function componentsOf(counts: Uint32Array, least: number): Box[] {
  const open = new Set([...counts.keys()].filter((cell) => counts[cell]! >= least));
  const boxes: Box[] = [];
  for (const start of open) {
    const component: number[] = [];
    const stack = [start];
    open.delete(start);
    for (let cell = stack.pop(); cell !== undefined; cell = stack.pop()) {
      component.push(cell);
      for (const step of [-CELLS - 1, -CELLS, -CELLS + 1, -1, 1, CELLS - 1, CELLS, CELLS + 1])
        if (open.delete(cell + step)) stack.push(cell + step);
    }
    const columns = component.map((cell) => cell % CELLS);
    const rows = component.map((cell) => Math.floor(cell / CELLS));
    boxes.push({
      left: Math.min(...columns) / CELLS,
      top: Math.min(...rows) / CELLS,
      right: (Math.max(...columns) + 1) / CELLS,
      bottom: (Math.max(...rows) + 1) / CELLS,
    });
  }
  return boxes;
}

function middleIn(line: Box, { left, top, right, bottom }: Box): boolean {
  const [x, y] = [(line.left + line.right) / 2, (line.top + line.bottom) / 2];
  return x >= left && x <= right && y >= top && y <= bottom;
}

function around(boxes: readonly Box[]): Place['region'] {
  const low = (values: number[]) => Math.max(0, Math.floor(100 * Math.min(...values)) - ROOM);
  const high = (values: number[]) => Math.min(100, Math.ceil(100 * Math.max(...values)) + ROOM);
  const [left, top] = [low(boxes.map((box) => box.left)), low(boxes.map((box) => box.top))];
  const [right, bottom] = [high(boxes.map((box) => box.right)), high(boxes.map((box) => box.bottom))];
  return { unit: 'percent', left, top, width: right - left, height: bottom - top };
}
