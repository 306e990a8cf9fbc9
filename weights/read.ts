import { BYTES_PER_ELEMENT, elementCount } from "./stored_tensor.ts";
import type { StoredTensor } from "./stored_tensor.ts";
import { openFile } from "./open_file.ts";
import { narrower, widener } from "./convert.ts";

/** Conversions read this much at a time: more is not faster, and this bounds the extra memory. */
const PIECE_BYTES = 4 << 20;

/**
 * A tensor's bytes as they are stored: a fresh copy of a file's range, the very array of a tensor
 * in memory. Throws ModelFormatError when the file is gone or has become shorter.
 */
export async function read(tensor: StoredTensor): Promise<Uint8Array<ArrayBuffer>> {
  const { location } = tensor;
  if ("data" in location) return location.data as Uint8Array<ArrayBuffer>;
  using file = await openFile(location.file);
  return await file.read(location.offset, location.byteLength);
}

/** A tensor's values as float32, from any stored dtype; F64 and 64-bit integers are rounded. */
export async function toFloat32(tensor: StoredTensor): Promise<Float32Array<ArrayBuffer>> {
  const out = new Float32Array(elementCount(tensor.shape));
  if (tensor.dtype === "F32") {
    await readBytesInto(tensor, new Uint8Array(out.buffer));
    return out;
  }
  const widen = widener(tensor.dtype);
  const step = BYTES_PER_ELEMENT[tensor.dtype];
  for await (const { bytes, offset } of pieces(tensor)) {
    widen(bytes, out.subarray(offset / step, (offset + bytes.length) / step));
  }
  return scaled(out, tensor);
}

/** A tensor's values as float16, rounded to nearest even; a magnitude above 65504 becomes infinite. */
export async function toFloat16(tensor: StoredTensor): Promise<Float16Array<ArrayBuffer>> {
  // Scaled in float32: a product may fit float16 where a factor does not.
  if (tensor.scale !== undefined) return Float16Array.from(await toFloat32(tensor));
  const out = new Float16Array(elementCount(tensor.shape));
  if (tensor.dtype === "F16") {
    await readBytesInto(tensor, new Uint8Array(out.buffer));
    return out;
  }
  const narrow = narrower(tensor.dtype);
  const step = BYTES_PER_ELEMENT[tensor.dtype];
  for await (const { bytes, offset } of pieces(tensor)) {
    narrow(bytes, out.subarray(offset / step, (offset + bytes.length) / step));
  }
  return out;
}

/**
 * A tensor's bytes in order, at most 4 MiB at a time, for copying and hashing with bounded memory.
 * Each piece is valid only until the next is asked for.
 */
export async function* pieces(
  tensor: StoredTensor,
): AsyncGenerator<{ bytes: Uint8Array<ArrayBuffer>; offset: number }> {
  const { location } = tensor;
  if ("data" in location) {
    // Copied when misaligned, so that typed views over a piece are possible.
    const { data } = location;
    const aligned = data.byteOffset % 8 === 0 ? data : data.slice();
    for (let offset = 0; offset < data.length; offset += PIECE_BYTES) {
      const bytes = aligned.subarray(offset, offset + PIECE_BYTES) as Uint8Array<ArrayBuffer>;
      yield { bytes, offset };
    }
    return;
  }
  using file = await openFile(location.file);
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, location.byteLength));
  for (let offset = 0; offset < location.byteLength; offset += PIECE_BYTES) {
    const bytes = buffer.subarray(0, Math.min(PIECE_BYTES, location.byteLength - offset));
    await file.readInto(location.offset + offset, bytes);
    yield { bytes, offset };
  }
}

/** Multiplies `values` by the tensor's scale, in place. */
export function scaled<A extends Float32Array | Float16Array>(
  values: A,
  { scale }: StoredTensor,
): A {
  if (scale !== undefined) { for (let i = 0; i < values.length; i++) values[i]! *= scale; }
  return values;
}

async function readBytesInto(tensor: StoredTensor, target: Uint8Array<ArrayBuffer>): Promise<void> {
  const { location } = tensor;
  if ("data" in location) return target.set(location.data);
  using file = await openFile(location.file);
  await file.readInto(location.offset, target);
}
