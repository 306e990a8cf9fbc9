import { pointerIn } from "./memory.ts";
import type { Native } from "./native.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Copies strings into a string tensor; unlike FillStringTensor this carries zero characters too. */
export function writeStrings(
  native: Native,
  value: Deno.PointerObject,
  strings: readonly string[],
): void {
  const out = new BigUint64Array(1);
  strings.forEach((text, index) => {
    const bytes = encoder.encode(text);
    native.call("GetResizedStringTensorElementBuffer", value, index, bytes.length, out);
    const target = pointerIn(out);
    if (target === null || bytes.length === 0) return;
    new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(target, bytes.length)).set(bytes);
  });
}

/** Copies the strings out of a string tensor. */
export function readStrings(native: Native, value: Deno.PointerObject, count: number): string[] {
  if (count === 0) return [];
  const total = native.number("GetStringTensorDataLength", value);
  // Never empty: an empty array would reach C as a null pointer.
  const bytes = new Uint8Array(total + 1);
  const starts = new BigUint64Array(count);
  native.call("GetStringTensorContent", value, bytes, total, starts, count);
  return Array.from(starts, (start, index) => {
    const end = index + 1 < count ? Number(starts[index + 1]) : total;
    return decoder.decode(bytes.subarray(Number(start), end));
  });
}
