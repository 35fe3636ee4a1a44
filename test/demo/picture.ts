/** The demo's picture: captures framed in the colour of their verdict, above maps of where they depart. */
import { readFile } from 'node:fs/promises';
import sharp, { type OverlayOptions } from 'sharp';
import { drawMap } from '../../agent/inspect/draw.ts';
import type { Inspector } from '../../agent/inspect/inspect.ts';
import type { VerdictWord } from '../../config/verdict.ts';

const TILE = 160;
const FRAME = 6;
const COLOUR = { pass: '#2e9e5b', review: '#f0a020', unscorable: '#c03030' } as const;

/** A PNG with one column per capture. */
export async function drawPicture(
  inspector: Inspector,
  captures: readonly { readonly file: string; readonly verdict: VerdictWord }[],
): Promise<Buffer> {
  const { mapAlarm } = inspector.bundle.manifest.calibration;
  const step = TILE + 2 * FRAME;
  const tiles: OverlayOptions[] = [];
  for (const [column, { file, verdict }] of captures.entries()) {
    const left = column * step;
    const photo = await sharp(await readFile(file))
      .resize(TILE, TILE)
      .png()
      .toBuffer();
    const frame = {
      create: { width: step - 4, height: step - 4, channels: 3, background: COLOUR[verdict] },
    } as const;
    tiles.push({ input: frame, left: left + 2, top: 2 }, { input: photo, left: left + FRAME, top: FRAME });
    const { scores } = await inspector.inspectWithMap(file);
    if (scores === undefined) continue;
    const size = { width: scores.mapWidth, height: scores.mapHeight };
    const heat = await drawMap(scores.map, size, mapAlarm, { width: TILE, height: TILE });
    tiles.push({ input: heat, left: left + FRAME, top: step + FRAME });
  }
  const size = { width: captures.length * step, height: 2 * step };
  return sharp({ create: { ...size, channels: 3, background: '#ffffff' } })
    .composite(tiles)
    .png({ palette: true })
    .toBuffer();
}
