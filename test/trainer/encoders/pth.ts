/** Writes .pth files as torch.save did before version 1.6, byte by byte. */

export interface Saved {
  name: string;
  shape: number[];
  strides: number[];
  offset: number;
  storage: Float32Array;
}

/** A state dictionary; `extra` is put into the pickle of the object, before its end. */
export function savedTensors(tensors: readonly Saved[], extra: Buffer = Buffer.alloc(0)): Buffer {
  const object = [
    op(0x80, 2),
    global('collections', 'OrderedDict'),
    op(0x29), // EMPTY_TUPLE
    op(0x52), // REDUCE
    op(0x28), // MARK
    ...tensors.map((tensor, i) => Buffer.concat([text(tensor.name), rebuilt(tensor, i)])),
    op(0x75), // SETITEMS
    extra,
    op(0x2e), // STOP
  ];
  const keys = [op(0x80, 2), op(0x5d), op(0x28), ...tensors.map((_, i) => text(`${i}`)), op(0x65), op(0x2e)];
  const storages = tensors.map(({ storage }) => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(storage.length));
    return Buffer.concat([count, Buffer.from(storage.buffer, storage.byteOffset, storage.byteLength)]);
  });
  return Buffer.concat([header(), ...object, ...keys, ...storages]);
}

export function global(module: string, name: string): Buffer {
  return Buffer.from(`c${module}\n${name}\n`);
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([op(0x58), uint32(bytes.length), bytes]);
}

export function op(code: number, ...rest: number[]): Buffer {
  return Buffer.from([code, ...rest]);
}

/** Magic number, protocol 1001, little-endian. */
function header(): Buffer {
  const magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
  const protocol = [op(0x80, 2), op(0x4d, 0xe9, 0x03), op(0x2e)];
  const system = [op(0x80, 2), op(0x7d), text('little_endian'), op(0x88), op(0x73), op(0x2e)];
  return Buffer.concat([op(0x80, 2, 0x8a, 10, ...magic, 0x2e), ...protocol, ...system]);
}

function rebuilt({ shape, strides, offset, storage }: Saved, index: number): Buffer {
  return Buffer.concat([
    global('torch._utils', '_rebuild_tensor_v2'),
    op(0x28), // MARK: the arguments
    op(0x28), // MARK: the persistent id
    text('storage'),
    global('torch', 'FloatStorage'),
    text(`${index}`),
    text('cpu'),
    integer(storage.length),
    op(0x4e), // NONE
    op(0x74), // TUPLE
    op(0x51), // BINPERSID
    integer(offset),
    tuple(shape),
    tuple(strides),
    op(0x89), // NEWFALSE
    global('collections', 'OrderedDict'),
    op(0x29),
    op(0x52),
    op(0x74),
    op(0x52), // REDUCE
  ]);
}

function tuple(values: readonly number[]): Buffer {
  return Buffer.concat([op(0x28), ...values.map(integer), op(0x74)]);
}

function integer(value: number): Buffer {
  return Buffer.concat([op(0x4a), uint32(value)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
