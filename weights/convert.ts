import type { StoredDType } from "./stored_tensor.ts";

/** Writes the values of `bytes` (little-endian, 8-byte aligned) into `out`, element by element. */
export type Convert<T> = (bytes: Uint8Array<ArrayBuffer>, out: T) => void;

/** The conversion of a stored dtype to float32. */
export function widener(dtype: StoredDType): Convert<Float32Array> {
  if (dtype === "F16") return (bytes, out) => lookUp(halfTable(), u16(bytes), bits(out));
  if (dtype === "F8_E4M3") return (bytes, out) => lookUp(float8Table(4, 3), bytes, bits(out));
  if (dtype === "F8_E5M2") return (bytes, out) => lookUp(float8Table(5, 2), bytes, bits(out));
  if (dtype === "BF16") return (bytes, out) => shiftUp(u16(bytes), bits(out));
  if (dtype === "I64" || dtype === "U64") {
    return (bytes, out) => view64(dtype, bytes).forEach((value, i) => out[i] = Number(value));
  }
  return (bytes, out) => out.set(VIEWS[dtype](bytes));
}

/** The conversion of a stored dtype to float16; float64 goes through float32 as torch's does. */
export function narrower(dtype: StoredDType): Convert<Float16Array> {
  if (dtype === "F32") return (bytes, out) => out.set(VIEWS.F32(bytes));
  const widen = widener(dtype);
  return (bytes, out) => {
    const wide = new Float32Array(out.length);
    widen(bytes, wide);
    out.set(wide);
  };
}

const at = (bytes: Uint8Array<ArrayBuffer>, size: number) =>
  [bytes.buffer, bytes.byteOffset, bytes.byteLength / size] as const;

const VIEWS = {
  F64: (bytes: Uint8Array<ArrayBuffer>) => new Float64Array(...at(bytes, 8)),
  F32: (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(...at(bytes, 4)),
  I32: (bytes: Uint8Array<ArrayBuffer>) => new Int32Array(...at(bytes, 4)),
  U32: (bytes: Uint8Array<ArrayBuffer>) => new Uint32Array(...at(bytes, 4)),
  I16: (bytes: Uint8Array<ArrayBuffer>) => new Int16Array(...at(bytes, 2)),
  U16: (bytes: Uint8Array<ArrayBuffer>) => new Uint16Array(...at(bytes, 2)),
  I8: (bytes: Uint8Array<ArrayBuffer>) => new Int8Array(...at(bytes, 1)),
  U8: (bytes: Uint8Array<ArrayBuffer>) => bytes,
  BOOL: (bytes: Uint8Array<ArrayBuffer>) => bytes,
};

const u16 = VIEWS.U16;

function view64(
  dtype: "I64" | "U64",
  bytes: Uint8Array<ArrayBuffer>,
): BigInt64Array | BigUint64Array {
  return dtype === "I64" ? new BigInt64Array(...at(bytes, 8)) : new BigUint64Array(...at(bytes, 8));
}

function bits(floats: Float32Array): Uint32Array {
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
}

/** bfloat16 is the upper half of a float32. */
function shiftUp(from: Uint16Array, to: Uint32Array): void {
  for (let i = 0; i < from.length; i++) to[i] = from[i]! << 16;
}

function lookUp(table: Uint32Array, from: Uint8Array | Uint16Array, to: Uint32Array): void {
  for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!;
}

let half: Uint32Array | undefined;

/** float32 bits of all 65536 float16: twice as fast as reading a Float16Array. */
function halfTable(): Uint32Array {
  if (half === undefined) {
    const every = Uint16Array.from({ length: 65536 }, (_, i) => i);
    half = bits(new Float32Array(new Float16Array(every.buffer)));
  }
  return half;
}

/** float32 bits of all 256 float8 (OCP 8-bit floating point, rev. 1.0); E4M3 has no infinities. */
function float8Table(exponentBits: 4 | 5, mantissaBits: 3 | 2): Uint32Array {
  const bias = 2 ** (exponentBits - 1) - 1;
  const top = 2 ** exponentBits - 1;
  const values = Float32Array.from({ length: 256 }, (_, byte) => {
    const sign = byte & 0x80 ? -1 : 1;
    const exponent = (byte >> mantissaBits) & top;
    const mantissa = byte & (2 ** mantissaBits - 1);
    if (exponentBits === 4 && (byte & 0x7f) === 0x7f) return NaN;
    if (exponentBits === 5 && exponent === top) return mantissa === 0 ? sign * Infinity : NaN;
    const fraction = mantissa / 2 ** mantissaBits;
    return exponent === 0
      ? sign * fraction * 2 ** (1 - bias)
      : sign * (1 + fraction) * 2 ** (exponent - bias);
  });
  return bits(values);
}
