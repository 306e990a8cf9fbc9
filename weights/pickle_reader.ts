/** A pickle is damaged, or uses what no file of weights needs. */
export class PickleError extends Error {
  override readonly name = "PickleError";
}

/** Reads the arguments of a pickle's opcodes; every read throws PickleError at the end of the bytes. */
export class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The index of the next byte. */
  get position(): number {
    return this.#at;
  }

  #take(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length) {
      throw new PickleError(`the pickle ends in the middle of something, at byte ${start}`);
    }
    this.#at = start + length;
    return start;
  }
  u8 = (): number => this.#bytes[this.#take(1)]!;
  u16 = (): number => this.#view.getUint16(this.#take(2), true);
  i32 = (): number => this.#view.getInt32(this.#take(4), true);
  u32 = (): number => this.#view.getUint32(this.#take(4), true);
  f64 = (): number => this.#view.getFloat64(this.#take(8), false);
  u64 = (): number => Number(this.#view.getBigUint64(this.#take(8), true));

  data(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.data(length));
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    const text = this.text(end < 0 ? -1 : end - this.#at);
    this.#at++;
    return text;
  }

  /** A little-endian two's complement integer. */
  long(length: number): number | bigint {
    if (length > 64) {
      throw new PickleError(`an integer of ${length} bytes is not one that weights need`);
    }
    let value = 0n;
    for (const byte of this.data(length).reverse()) value = (value << 8n) | BigInt(byte);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
}
