/** Where on a map an image departs from good ones, in words. */

/**
 * Largest root mean square distance from the centre of gravity, in sides of the map, that still is one place: a ninth
 * of the map has 0.14, a quarter 0.20, a half 0.32, all of it 0.41.
 */
const SPREAD = 0.2;

const ROWS = ['upper', '', 'lower'] as const;
const COLUMNS = ['left', '', 'right'] as const;

/**
 * One of nine regions ("at the lower left", "in the middle"): that of the centre of gravity of what exceeds `alarm`,
 * which 95 of 100 good images do nowhere. null: nothing does, or it lies about the map, so that there is no one place.
 * `map` holds `height * width` values, row by row.
 */
export function placeOf(
  map: Float32Array,
  { height, width }: { readonly height: number; readonly width: number },
  alarm: number,
): string | null {
  let [sum, x, y, squares] = [0, 0, 0, 0];
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const weight = map[row * width + column]! - alarm;
      if (!(weight > 0)) continue;
      const [right, down] = [(column + 0.5) / width, (row + 0.5) / height];
      sum += weight;
      x += weight * right;
      y += weight * down;
      squares += weight * (right ** 2 + down ** 2);
    }
  if (sum === 0) return null;
  const [right, down] = [x / sum, y / sum];
  if (Math.sqrt(Math.max(0, squares / sum - right ** 2 - down ** 2)) > SPREAD) return null;
  return inWords(third(down), third(right));
}

const third = (share: number): 0 | 1 | 2 => (share < 1 / 3 ? 0 : share <= 2 / 3 ? 1 : 2);

function inWords(row: 0 | 1 | 2, column: 0 | 1 | 2): string {
  if (row === 1 && column === 1) return 'in the middle';
  if (column === 1) return row === 0 ? 'at the top' : 'at the bottom';
  return `at the ${[ROWS[row], COLUMNS[column]].filter((word) => word !== '').join(' ')}`;
}
