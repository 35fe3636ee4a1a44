/** Phantoms: drawings that look a little like photographs of the back of an eye. No patient, no data set. */
import sharp from 'sharp';
import { random } from '../support/images.ts';

/** Side of a phantom, pixels. */
export const SIZE = 256;

/** What goes wrong at a camera. */
export const FLAWS = [
  'out of focus',
  'glare',
  'eyelid',
  'off-centre',
  'electronic noise',
  'not an eye',
] as const;
export type Flaw = (typeof FLAWS)[number];

/** Draws one phantom as JPEG. The same seed gives the same picture. */
export async function drawPhantom(seed: number, flaw?: Flaw): Promise<Buffer> {
  const uniform = random(seed * 7919 + 17);
  const between = (low: number, high: number) => low + uniform() * (high - low);
  const body = flaw === 'not an eye' ? testCard(between) : eye(between, flaw);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}" viewBox="0 0 256 256">
    <rect width="256" height="256" fill="#050303"/>${body}</svg>`;
  const drawn = sharp(Buffer.from(svg)).removeAlpha();
  const { data, info } = await (flaw === 'out of focus' ? drawn.blur(BLUR) : drawn)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const grain = flaw === 'electronic noise' ? 130 : 8;
  for (let i = 0; i < data.length; i++)
    data[i] = Math.min(255, Math.max(0, data[i]! + (uniform() - 0.5) * grain));
  return sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } })
    .jpeg({ quality: 92 })
    .toBuffer();
}

/** Standard deviation of the Gaussian that a lens out of focus stands for, in pixels. */
const BLUR = 2.5;

type Between = (low: number, high: number) => number;

/** A disc of retina with optic disc, macula and branching vessels, and the flaw over it. */
function eye(between: Between, flaw?: Flaw): string {
  const shift = flaw === 'off-centre' ? 90 : 0;
  const x = 128 + between(-3, 3) + shift;
  const y = 128 + between(-3, 3) - shift * 0.6;
  const radius = between(112, 116);
  const side = between(0, 1) < 0.5 ? -1 : 1; // left or right eye
  const nerveX = x + side * between(44, 52);
  const nerveY = y + between(-6, 6);
  const vessels = [-1, 1].flatMap((upward) =>
    [0.55, 1].map((bend) => vessel(between, nerveX, nerveY, -side * bend, upward, between(3, 4.2), 0)),
  );
  const warm = between(-6, 6);
  return `<defs>
      <radialGradient id="retina" cx="50%" cy="50%" r="50%">
        <stop offset="0%" stop-color="rgb(${222 + warm},${112 + warm},48)"/>
        <stop offset="70%" stop-color="rgb(${196 + warm},${84 + warm},34)"/>
        <stop offset="100%" stop-color="rgb(${128 + warm},${44 + warm},18)"/>
      </radialGradient>
      <radialGradient id="nerve"><stop offset="0%" stop-color="#ffeeb0"/><stop offset="70%" stop-color="#f6c368"/><stop offset="100%" stop-color="#f6c368" stop-opacity="0"/></radialGradient>
      <radialGradient id="macula"><stop offset="0%" stop-color="#5a1c08" stop-opacity=".7"/><stop offset="100%" stop-color="#5a1c08" stop-opacity="0"/></radialGradient>
      <clipPath id="field"><circle cx="${x}" cy="${y}" r="${radius}"/></clipPath>
    </defs>
    <g clip-path="url(#field)">
      <circle cx="${x}" cy="${y}" r="${radius}" fill="url(#retina)"/>
      <circle cx="${x - side * 14}" cy="${y + between(-3, 3)}" r="26" fill="url(#macula)"/>
      ${vessels.join('')}
      <circle cx="${nerveX}" cy="${nerveY}" r="${between(17, 20)}" fill="url(#nerve)"/>
    </g>${flaw === undefined ? '' : overlay(flaw, between)}`;
}

/** A vessel that wanders and branches, thinner each time. */
function vessel(
  between: Between,
  x: number,
  y: number,
  towards: number,
  upward: number,
  width: number,
  depth: number,
): string {
  let path = `M${x},${y}`;
  let branches = '';
  let [px, py] = [x, y];
  let angle = Math.atan2(upward * 1.3, towards * 0.6);
  for (let step = 0; step < 7; step++) {
    angle += between(-0.25, 0.25) - upward * towards * 0.12;
    px += Math.cos(angle) * 18;
    py += Math.sin(angle) * 18;
    path += `L${px.toFixed(1)},${py.toFixed(1)}`;
    if (depth < 2 && step > 0 && between(0, 1) < 0.4)
      branches += vessel(
        between,
        px,
        py,
        Math.cos(angle + between(0.4, 0.9)),
        upward,
        width * 0.6,
        depth + 1,
      );
  }
  return `<path d="${path}" fill="none" stroke="#7a1a10" stroke-opacity=".8" stroke-width="${width.toFixed(1)}" stroke-linejoin="round"/>${branches}`;
}

function overlay(flaw: Flaw, between: Between): string {
  switch (flaw) {
    case 'glare': {
      const tilt = between(-40, 40);
      return `<g transform="rotate(${tilt} 128 128)"><path d="M40,90 A110,110 0 0 1 216,90 L200,112 A96,96 0 0 0 56,112 Z" fill="#fff" fill-opacity=".9"/></g>`;
    }
    case 'eyelid': {
      const lashes = Array.from({ length: 16 }, (_, i) => {
        const x = 8 + i * 16;
        return `<path d="M${x},${118 + between(-4, 4)} q${between(-8, 8)},28 ${between(-14, 14)},${between(40, 66)}" stroke="#160b06" stroke-width="4" fill="none"/>`;
      });
      return `<path d="M0,0 H256 V110 Q128,${between(130, 150)} 0,110 Z" fill="#d9a88a"/>${lashes.join('')}`;
    }
    default:
      return ''; // off-centre and noise are no overlays
  }
}

/** Stripes and a star: somebody photographed the test card. */
function testCard(between: Between): string {
  const stripes = Array.from(
    { length: 16 },
    (_, i) => `<rect x="${i * 16}" width="8" height="256" fill="#e8e8e8"/>`,
  );
  return `<g transform="rotate(${between(-30, 30)} 128 128)"><rect x="-64" y="-64" width="384" height="384" fill="#202020"/>${stripes.join('')}<circle cx="128" cy="128" r="50" fill="#2757d6"/></g>`;
}
