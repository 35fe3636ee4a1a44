/** Python's pickle, protocol 2: just what a file of named tensors needs, and nothing that could run code. */
import type { ByteReader } from './bytes.ts';

/** A tuple or list is an array, a dictionary a Map; whole numbers beyond 2^53 are bigint. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleGlobal
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleObject;

/** Something that only the caller understands, such as a tensor. */
export interface PickleObject {
  readonly object: unknown;
}

/** A global that the caller knows; `call` is what Python would do with the arguments. */
export interface PickleGlobal {
  readonly name: string;
  call(args: readonly PickleValue[]): PickleValue;
}

export interface PickleOptions {
  /** Globals that may be named, as `module.name`; every other one is refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** What a persistent id stands for. */
  persistent(id: PickleValue): PickleValue;
}

/**
 * Reads one pickled value and leaves the reader behind its STOP. Memory grows with the bytes read only: every opcode
 * makes one value at most, and nothing is copied that was not read.
 *
 * @throws Error for an opcode or a global that is not known, naming it, and for anything malformed.
 */
export function readPickle(reader: ByteReader, options: PickleOptions): PickleValue {
  return new Machine(reader, options).run();
}

/** Opcodes by their byte: Python's Lib/pickletools.py describes each. */
const OPCODES: Readonly<Record<number, (m: Machine) => void>> = {
  128: (m) => m.protocol(), // PROTO
  40: (m) => m.mark(), // MARK
  78: (m) => m.push(null), // NONE
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  75: (m) => m.push(m.reader.uint8()), // BININT1
  77: (m) => m.push(m.reader.uint16()), // BININT2
  74: (m) => m.push(m.reader.int32()), // BININT
  138: (m) => m.push(m.long(m.reader.uint8())), // LONG1
  71: (m) => m.push(m.reader.float64BigEndian()), // BINFLOAT
  88: (m) => m.push(m.reader.text(m.reader.uint32())), // BINUNICODE
  41: (m) => m.push([]), // EMPTY_TUPLE
  93: (m) => m.push([]), // EMPTY_LIST
  125: (m) => m.push(new Map()), // EMPTY_DICT
  133: (m) => m.push(m.pop(1)), // TUPLE1
  134: (m) => m.push(m.pop(2)), // TUPLE2
  135: (m) => m.push(m.pop(3)), // TUPLE3
  116: (m) => m.push(m.popMark()), // TUPLE
  97: (m) => m.append(m.pop(1)), // APPEND
  101: (m) => m.append(m.popMark()), // APPENDS
  115: (m) => m.set(m.pop(2)), // SETITEM
  117: (m) => m.set(m.popMark()), // SETITEMS
  113: (m) => m.remember(m.reader.uint8()), // BINPUT
  114: (m) => m.remember(m.reader.uint32()), // LONG_BINPUT
  104: (m) => m.recall(m.reader.uint8()), // BINGET
  106: (m) => m.recall(m.reader.uint32()), // LONG_BINGET
  99: (m) => m.global(), // GLOBAL
  81: (m) => m.persistent(), // BINPERSID
  82: (m) => m.reduce(), // REDUCE
  98: (m) => m.build(), // BUILD
};

const STOP = 0x2e;

class Machine {
  readonly reader: ByteReader;
  readonly #options: PickleOptions;
  readonly #memo = new Map<number, PickleValue>();
  #stack: PickleValue[] = [];
  readonly #marks: PickleValue[][] = [];

  constructor(reader: ByteReader, options: PickleOptions) {
    this.reader = reader;
    this.#options = options;
  }

  run(): PickleValue {
    for (;;) {
      const code = this.reader.uint8();
      if (code === STOP) return this.pop(1)[0]!;
      const action = OPCODES[code];
      if (action === undefined)
        throw new Error(
          `the pickle uses opcode 0x${code.toString(16)} at byte ${this.reader.position - 1}, which a file of tensors does not need`,
        );
      action(this);
    }
  }

  protocol(): void {
    const version = this.reader.uint8();
    if (version !== 2) throw new Error(`expected pickle protocol 2, got ${version}`);
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  pop(count: number): PickleValue[] {
    if (this.#stack.length < count) throw new Error('the pickle takes more from its stack than is there');
    return this.#stack.splice(this.#stack.length - count, count);
  }

  mark(): void {
    this.#marks.push(this.#stack);
    this.#stack = [];
  }

  popMark(): PickleValue[] {
    const before = this.#marks.pop();
    if (before === undefined) throw new Error('the pickle ends a group that it did not begin');
    const group = this.#stack;
    this.#stack = before;
    return group;
  }

  /** Little-endian two's complement of that many bytes. */
  long(length: number): number | bigint {
    const bytes = this.reader.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  append(items: PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw new Error('the pickle appends to something that is no list');
    for (const item of items) list.push(item);
  }

  set(items: PickleValue[]): void {
    const dictionary = this.#top();
    if (!(dictionary instanceof Map))
      throw new Error('the pickle sets items of something that is no dictionary');
    if (items.length % 2 !== 0) throw new Error('the pickle sets a key without a value');
    for (let i = 0; i < items.length; i += 2) dictionary.set(items[i]!, items[i + 1]!);
  }

  remember(index: number): void {
    this.#memo.set(index, this.#top());
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw new Error(`the pickle recalls value ${index}, which it never stored`);
    this.push(this.#memo.get(index)!);
  }

  global(): void {
    const name = `${this.reader.line()}.${this.reader.line()}`;
    const known = this.#options.globals.get(name);
    if (known === undefined)
      throw new Error(
        `the pickle names ${name}; only tensors and dictionaries are read, so that no file can run code here`,
      );
    this.push(known);
  }

  persistent(): void {
    this.push(this.#options.persistent(this.pop(1)[0]!));
  }

  reduce(): void {
    const [callee, args] = this.pop(2);
    if (callee === null || typeof callee !== 'object' || !('call' in callee) || !Array.isArray(args))
      throw new Error('the pickle calls something that is no function');
    this.push(callee.call(args));
  }

  /** Attributes of a dictionary (torch keeps version numbers there): not needed, so they are dropped. */
  build(): void {
    this.pop(1);
    if (!(this.#top() instanceof Map))
      throw new Error('the pickle sets attributes of something that is no dictionary');
  }

  #top(): PickleValue {
    if (this.#stack.length === 0) throw new Error('the pickle uses the top of an empty stack');
    return this.#stack[this.#stack.length - 1]!;
  }
}
