/** Reads PyTorch's .pth files as torch.save wrote them before version 1.6, without Python. */
import { ByteReader } from './bytes.ts';
import { type PickleGlobal, type PickleValue, readPickle } from './pickle.ts';

export interface TorchTensor {
  readonly shape: readonly number[];
  /** Row-major, whatever the strides in the file. */
  readonly data: Float32Array;
}

/** torch/serialization.py: MAGIC_NUMBER and PROTOCOL_VERSION. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** Bytes of an element. */
const STORAGES: Readonly<Record<string, number>> = {
  'torch.FloatStorage': 4,
  'torch.DoubleStorage': 8,
  'torch.LongStorage': 8,
  'torch.IntStorage': 4,
};

/** No network needs more axes; a hostile file might claim any number. */
const MAX_RANK = 8;

/**
 * The float32 tensors of a state dictionary, by name; tensors of other types (counters) are left out.
 *
 * The format is five pickles (magic number, protocol, system, the object, the keys of its storages) and then the
 * storages' bytes. Only tensors and (ordered) dictionaries are understood; a file that names anything else is refused,
 * so that none can run code. Work and memory grow with the size of the file only.
 *
 * @throws Error that says what is wrong with the file.
 */
export function readTorchTensors(file: Uint8Array): Map<string, TorchTensor> {
  const reader = new ByteReader(file);
  checkHeader(reader, file);
  const storages = new Map<string, Storage>();
  const object = readPickle(reader, {
    globals: GLOBALS,
    persistent: (id) => ({ object: declareStorage(id, storages) }),
  });
  readStorages(reader, storages);
  if (!(object instanceof Map)) throw new Error('expected a state dictionary: names with their tensors');
  const tensors = new Map<string, TorchTensor>();
  const budget = { elements: file.length };
  for (const [name, value] of object) {
    const view = objectOf(value);
    if (typeof name !== 'string' || !(view instanceof TensorView))
      throw new Error(`expected a state dictionary: names with their tensors, got ${describe(name)}`);
    if (view.storage.type === 'torch.FloatStorage') tensors.set(name, view.read(name, budget));
  }
  return tensors;
}

interface Storage {
  readonly type: string;
  readonly elements: number;
  bytes?: Uint8Array;
}

class TensorView {
  readonly storage: Storage;
  readonly #offset: number;
  readonly #shape: readonly number[];
  readonly #strides: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.#offset = offset;
    this.#shape = shape;
    this.#strides = strides;
  }

  /** `budget` is what all tensors of the file may have together: hostile views could repeat a storage endlessly. */
  read(name: string, budget: { elements: number }): TorchTensor {
    const count = this.#shape.reduce((product, size) => product * size, 1);
    const last = this.#shape.reduce((sum, size, i) => sum + (size - 1) * this.#strides[i]!, this.#offset);
    if (count > 0 && !(last < this.storage.elements))
      throw new Error(`tensor ${name} reaches beyond its storage of ${this.storage.elements} elements`);
    budget.elements -= count;
    if (!(budget.elements >= 0))
      throw new Error(`the tensors up to ${name} have more elements than the file has bytes`);
    const bytes = this.storage.bytes!;
    const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const data = new Float32Array(count);
    const index = this.#shape.map(() => 0);
    let at = this.#offset;
    for (let i = 0; i < count; i++) {
      data[i] = source.getFloat32(4 * at, true);
      for (let axis = index.length - 1; axis >= 0; axis--) {
        at += this.#strides[axis]!;
        if (++index[axis]! < this.#shape[axis]!) break;
        at -= this.#strides[axis]! * this.#shape[axis]!;
        index[axis] = 0;
      }
    }
    return { shape: this.#shape, data };
  }
}

const NO_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map();

const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    { name: 'collections.OrderedDict', call: orderedDictionary },
    { name: 'torch._utils._rebuild_tensor_v2', call: rebuildTensor },
    ...Object.keys(STORAGES).map((name) => ({ name, call: notCallable })),
  ].map((known) => [known.name, known]),
);

function checkHeader(reader: ByteReader, file: Uint8Array): void {
  if (file[0] === 0x50 && file[1] === 0x4b)
    throw new Error(
      'this is a .pth file of PyTorch 1.6 or later (a zip archive); only the format before that is read here',
    );
  if (file[0] !== 0x80) throw new Error('this is not a .pth file: its magic number is missing');
  const nothing = { globals: NO_GLOBALS, persistent: notExpected };
  if (readPickle(reader, nothing) !== MAGIC)
    throw new Error('this is not a .pth file: its magic number is missing');
  const protocol = readPickle(reader, nothing);
  if (protocol !== PROTOCOL) throw new Error(`expected .pth protocol ${PROTOCOL}, got ${describe(protocol)}`);
  const system = readPickle(reader, nothing);
  if (!(system instanceof Map) || system.get('little_endian') !== true)
    throw new Error('the .pth file was written on a big-endian machine, which is not read here');
}

function orderedDictionary(args: readonly PickleValue[]): PickleValue {
  if (args.length !== 0) throw new Error('expected an empty OrderedDict to begin with');
  return new Map();
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`. */
function rebuildTensor([storage, offset, shape, strides]: readonly PickleValue[]): PickleValue {
  const kept = objectOf(storage);
  if (!isStorage(kept) || !isSize(offset) || !isSizes(shape) || !isSizes(strides))
    throw new Error(`a tensor needs a storage, an offset, and sizes and strides of at most ${MAX_RANK} axes`);
  if (shape.length !== strides.length)
    throw new Error(`a tensor has ${shape.length} sizes and ${strides.length} strides`);
  return { object: new TensorView(kept, offset, shape, strides) };
}

/** The persistent id of a storage: `('storage', type, key, device, elements, view)`. */
function declareStorage(id: PickleValue, storages: Map<string, Storage>): Storage {
  if (!Array.isArray(id) || id[0] !== 'storage') throw new Error('a persistent id is no storage');
  const [, type, key, , elements, view] = id;
  const name = type != null && typeof type === 'object' && 'name' in type ? type.name : describe(type);
  if (!(name in STORAGES) || typeof key !== 'string' || !isSize(elements) || (view ?? null) !== null)
    throw new Error(`a storage of an unknown kind: ${name} of ${describe(elements)} elements`);
  const known = storages.get(key);
  if (known !== undefined && (known.type !== name || known.elements !== elements))
    throw new Error(`storage ${key} is described in two ways`);
  const storage = known ?? { type: name, elements };
  storages.set(key, storage);
  return storage;
}

function readStorages(reader: ByteReader, storages: ReadonlyMap<string, Storage>): void {
  const keys = readPickle(reader, { globals: NO_GLOBALS, persistent: notExpected });
  if (!Array.isArray(keys)) throw new Error('the list of storages is missing');
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined) throw new Error(`no tensor uses storage ${describe(key)}`);
    const elements = reader.int64();
    if (elements !== BigInt(storage.elements))
      throw new Error(`storage ${describe(key)} has ${elements} elements, expected ${storage.elements}`);
    storage.bytes = reader.take(storage.elements * STORAGES[storage.type]!);
  }
  for (const [key, { bytes }] of storages)
    if (bytes === undefined) throw new Error(`the bytes of storage ${key} are missing`);
}

function objectOf(value: PickleValue | undefined): unknown {
  return value !== null && typeof value === 'object' && 'object' in value ? value.object : undefined;
}

function isStorage(value: unknown): value is Storage {
  return typeof value === 'object' && value !== null && 'elements' in value;
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= MAX_RANK && value.every(isSize);
}

/** Never prints a nested value: one that contains itself many times over would be endless. */
function describe(value: PickleValue | undefined): string {
  return typeof value === 'object' ? 'an object' : String(value);
}

function notCallable(): never {
  throw new Error('a type of storage was called');
}

function notExpected(): never {
  throw new Error('a persistent id where none belongs');
}
