/** Hostile files, by number: damaged images, and ones made to exhaust whoever reads them. */
import { crc32, deflateRawSync, deflateSync } from 'node:zlib';
import { SYNTAX, writeDicom } from '../../test/support/dicom.ts';
import { random } from '../../test/support/images.ts';
import type { Original } from './originals.ts';

export interface HostileFile {
  readonly kind: string;
  readonly ending: string;
  readonly bytes: Buffer;
}

/** One in so many is made, the others are damaged originals. */
const MADE = 10;

/** The file with that number; the same for the same seed. */
export function hostileFile(seed: number, number: number, originals: readonly Original[]): HostileFile {
  const choose = random(seed * 1_000_003 + number);
  if (number % MADE === 0) {
    const [kind, make] = Object.entries(MAKERS)[Math.floor(choose() * Object.keys(MAKERS).length)]!;
    return { kind, ...make(choose, originals) };
  }
  const { ending, bytes } = originals[Math.floor(choose() * originals.length)]!;
  const damaged = DAMAGES[Math.floor(choose() * DAMAGES.length)]!(Buffer.from(bytes), choose, originals);
  return { kind: `damaged ${ending}`, ending, bytes: damaged };
}

type Damage = (bytes: Buffer, choose: () => number, originals: readonly Original[]) => Buffer;

const DAMAGES: readonly Damage[] = [
  function flipBits(bytes, choose) {
    for (let i = 0; i < 1 + 20 * choose(); i++) {
      const at = Math.floor(choose() * bytes.length);
      bytes[at] = bytes[at]! ^ (1 << Math.floor(8 * choose()));
    }
    return bytes;
  },
  function flipBitsOfTheHead(bytes, choose) {
    for (let i = 0; i < 1 + 4 * choose(); i++) {
      const at = Math.floor(choose() * Math.min(400, bytes.length));
      bytes[at] = Math.floor(256 * choose());
    }
    return bytes;
  },
  function overwrite(bytes, choose) {
    const at = Math.floor(choose() * bytes.length);
    const value = [0, 0xff, Math.floor(256 * choose())][Math.floor(3 * choose())]!;
    return bytes.fill(value, at, Math.min(bytes.length, at + Math.floor(200 * choose())));
  },
  function hugeNumber(bytes, choose) {
    const at = Math.floor(choose() * Math.max(1, Math.min(600, bytes.length) - 4));
    if (bytes.length >= at + 4) bytes.writeUInt32BE(choose() < 0.5 ? 0xffffffff : 0x7fffffff, at);
    return bytes;
  },
  (bytes, choose) => bytes.subarray(0, Math.floor(choose() * bytes.length)),
  function remove(bytes, choose) {
    const at = Math.floor(choose() * bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + Math.floor(100 * choose()))]);
  },
  function repeat(bytes, choose) {
    const at = Math.floor(choose() * bytes.length);
    const piece = bytes.subarray(at, at + Math.floor(500 * choose()));
    return Buffer.concat([bytes.subarray(0, at), ...Array<Buffer>(20).fill(piece), bytes.subarray(at)]);
  },
  function splice(bytes, choose, originals) {
    const other = originals[Math.floor(choose() * originals.length)]!.bytes;
    const [here, there] = [choose() * bytes.length, choose() * other.length].map(Math.floor);
    return Buffer.concat([bytes.subarray(0, here), other.subarray(there)]);
  },
];

type Maker = (choose: () => number, originals: readonly Original[]) => Omit<HostileFile, 'kind'>;

const MAKERS: Readonly<Record<string, Maker>> = {
  'PNG of billions of pixels': (choose) =>
    png(60_000, 60_000, deflateSync(Buffer.alloc(100 + 1000 * choose()))),
  'PNG bomb within the limit of pixels': () =>
    png(1400, 1400, deflateSync(Buffer.alloc(1400 * (1400 * 3 + 1)))),
  'PNG whose data never ends': (choose) =>
    png(64, 64, deflateSync(Buffer.alloc(30_000_000 + 1000 * choose()))),
  'PNG with a text bomb': () =>
    png(8, 8, deflateSync(Buffer.alloc(8 * 25)), [
      'zTXt',
      Buffer.concat([Buffer.from('a\0\0'), deflateSync(Buffer.alloc(50_000_000))]),
    ]),
  'TIFF whose directories go in a circle': () => tiff([8, 8]),
  'TIFF with thousands of directories': () => tiff(Array.from({ length: 5000 }, (_, i) => 8 + 18 * i)),
  'DICOM with sequences in sequences': (choose) => ({
    ending: 'dcm',
    bytes: nested(Math.floor(20_000 * choose())),
  }),
  'DICOM that inflates to hundreds of megabytes': () => ({ ending: 'dcm', bytes: inflating() }),
  'DICOM of billions of pixels': () => ({
    ending: 'dcm',
    bytes: writeDicom({ width: 65_535, height: 65_535, frames: 1_000_000, pixels: new Uint8Array(64) }),
  }),
  'SVG that expands without end': () => ({ ending: 'jpg', bytes: laughs() }),
  'SVG that reads another file': () => ({
    ending: 'png',
    bytes: Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>',
    ),
  }),
  'JPEG that is a ZIP as well': (_choose, originals) =>
    join('jpg', originals, Buffer.from('PK\x03\x04'.padEnd(200, 'x'))),
  'PDF before a JPEG': (_choose, originals) => ({
    ending: 'jpg',
    bytes: Buffer.concat([Buffer.from('%PDF-1.7\n'), join('jpg', originals).bytes]),
  }),
  'GIF that is a script as well': (_choose, originals) =>
    join('gif', originals, Buffer.from('*/=1;alert(1)//;')),
  noise: (choose) => ({
    ending: 'jpg',
    bytes: Buffer.from(Array.from({ length: 3000 * choose() }, () => 256 * choose())),
  }),
};

function join(ending: string, originals: readonly Original[], ...more: Buffer[]): Omit<HostileFile, 'kind'> {
  return { ending, bytes: Buffer.concat([originals.find((one) => one.ending === ending)!.bytes, ...more]) };
}

/** RGB, 8 bits, with correct checksums. */
function png(
  width: number,
  height: number,
  data: Buffer,
  ...more: [type: string, data: Buffer][]
): Omit<HostileFile, 'kind'> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const chunks = [['IHDR', header], ...more, ['IDAT', data], ['IEND', Buffer.alloc(0)]] as const;
  const parts = chunks.flatMap(([type, content]) => {
    const named = Buffer.concat([Buffer.from(type), content]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    check.writeUInt32BE(crc32(named));
    return [length, named, check];
  });
  return { ending: 'png', bytes: Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...parts]) };
}

/** Directories of one entry (width 1) at these places, each pointing to the next. */
function tiff(places: readonly number[]): Omit<HostileFile, 'kind'> {
  const bytes = Buffer.alloc(Math.max(...places) + 18);
  bytes.write('II*\0', 'latin1');
  bytes.writeUInt32LE(8, 4);
  for (const [i, place] of places.entries()) {
    bytes.writeUInt16LE(1, place);
    bytes.set([0x00, 0x01, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0], place + 2);
    bytes.writeUInt32LE(places[i + 1] ?? 0, place + 14);
  }
  return { ending: 'tif', bytes };
}

function nested(depth: number): Buffer {
  const whole = writeDicom({ width: 8, height: 8, pixels: new Uint8Array(64) });
  const sequence = Buffer.from('08004011' + '53510000ffffffff' + 'feff00e0ffffffff', 'hex');
  return Buffer.concat([whole.subarray(0, 132 + 26), ...Array<Buffer>(depth).fill(sequence)]);
}

function inflating(): Buffer {
  const whole = writeDicom({ width: 8, height: 8, pixels: new Uint8Array(64), syntax: SYNTAX.deflated });
  const head = whole.indexOf(SYNTAX.deflated) + SYNTAX.deflated.length + 1;
  return Buffer.concat([whole.subarray(0, head), deflateRawSync(Buffer.alloc(300_000_000))]);
}

function laughs(): Buffer {
  const entities = Array.from({ length: 12 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`);
  return Buffer.from(
    `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">${entities.join('')}]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&l12;</text></svg>`,
  );
}
