/**
 * Names of files as text, whatever bytes they are made of. Linux permits every byte but `/` and NUL; what is no UTF-8,
 * as old software on foreign code pages leaves it, must still be opened, recorded and told apart.
 *
 * A byte that is no UTF-8 becomes one character of U+EF80..U+EFFF, of the private use area. A true one of these becomes
 * three, one for each of its bytes. So each name has one text, and each text leads back to its name.
 */
import path from 'node:path';

const FIRST = 0xef80;
const LAST = 0xefff;
/** Byte 0x80 is U+EF80. */
const OFFSET = 0xef00;
const ESCAPED = /[\uef80-\uefff]/;
const DOUBTFUL = /[\uef80-\uefff\ufffd]/;

/** The text of a name. */
export function nameOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!DOUBTFUL.test(text)) return text;
  let name = '';
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    if (length > 0) name += bytes.toString('utf8', at, at + length);
    else name += String.fromCharCode(OFFSET + bytes[at]!);
    at += Math.max(1, length);
  }
  return name;
}

/** The path to a name within a folder: text, or bytes where text cannot say it. */
export function pathTo(folder: string, name: string): string | Buffer {
  if (!ESCAPED.test(name)) return path.join(folder, name);
  const parts = [...name].map((character) => {
    const code = character.codePointAt(0)!;
    return code >= FIRST && code <= LAST ? Buffer.from([code - OFFSET]) : Buffer.from(character);
  });
  return Buffer.concat([Buffer.from(path.join(folder, '/')), ...parts]);
}

/** The name that somebody means who types a path: as it is, `./a.jpg`, or absolute, where `folder` is known (not empty). */
export function typedName(folder: string, typed: string): string {
  return path.isAbsolute(typed) && folder !== '' ? path.relative(folder, typed) : path.normalize(typed);
}

/** Bytes of the UTF-8 character at `at`; 0: none is there, or one that stands for a byte. */
function characterLength(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  const length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  const own = bytes.subarray(at, at + length);
  const text = own.toString('utf8');
  return own.equals(Buffer.from(text)) && own.length === length && !ESCAPED.test(text) ? length : 0;
}
