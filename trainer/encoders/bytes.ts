/** Reads numbers and text from bytes, in order, never beyond their end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** All there is, read or not. */
  get length(): number {
    return this.#bytes.length;
  }

  /** The next `length` bytes, without copying. @throws Error when fewer are left. */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.position)
      throw new Error(
        `the file ends at byte ${this.#bytes.length}, but ${length} bytes are wanted from byte ${this.position}`,
      );
    const taken = this.#bytes.subarray(this.position, this.position + length);
    this.position += length;
    return taken;
  }

  uint8(): number {
    return this.take(1)[0]!;
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8), true);
  }

  float64BigEndian(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** UTF-8 of `length` bytes. @throws Error when it is not. */
  text(length: number): string {
    return new TextDecoder('utf-8', { fatal: true }).decode(this.take(length));
  }

  /** UTF-8 up to the next line feed, which is passed. @throws Error when there is none. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) throw new Error(`the file ends within a name that begins at byte ${this.position}`);
    const text = this.text(end - this.position);
    this.position = end + 1;
    return text;
  }

  #advance(length: number): number {
    this.take(length);
    return this.position - length;
  }
}
