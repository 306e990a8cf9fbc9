import assert from "node:assert/strict";
import {
  byteSize,
  decodeElements,
  dtypeCode,
  dtypeOfArray,
  dtypeOfCode,
  dtypes,
  encodeElements,
} from "../../graph/dtype.ts";

Deno.test("every dtype is found again by its ONNX code", () => {
  for (const dtype of dtypes) assert.equal(dtypeOfCode(dtypeCode(dtype)), dtype);
  assert.equal(dtypeOfCode(8), undefined); // strings
});

Deno.test("dtypeOfArray() is the type the array holds", () => {
  assert.equal(dtypeOfArray(new Float32Array(1)), "float32");
  assert.equal(dtypeOfArray(new BigInt64Array(1)), "int64");
  assert.equal(dtypeOfArray(new BigUint64Array(1)), "uint64");
  assert.equal(dtypeOfArray(new Uint8Array(1)), "uint8");
});

Deno.test("encodeElements() and decodeElements() are inverse for every dtype", () => {
  for (const dtype of dtypes) {
    const numbers = dtype === "bool" ? [0, 1] : dtype.startsWith("uint") ? [0, 7, 200] : [0, -3, 7];
    const bytes = encodeElements(Float64Array.from(numbers), dtype);
    assert.equal(bytes.length, numbers.length * byteSize(dtype), dtype);
    assert.deepEqual(decodeElements(bytes, dtype), numbers, dtype);
  }
});

Deno.test("encodeElements() does not copy what already has the type", () => {
  const array = new Float32Array([0, 1, 2, 3]).subarray(1, 3);
  const bytes = encodeElements(array, "float32");
  assert.equal(bytes.buffer, array.buffer);
  assert.deepEqual(decodeElements(bytes, "float32"), [1, 2]);
});

Deno.test("every float16 survives decoding and encoding", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const numbers = decodeElements(new Uint8Array(bits.buffer), "float16");
  const again = new Uint16Array(encodeElements(Float64Array.from(numbers), "float16").buffer);
  numbers.forEach((number, i) => {
    if (!Number.isNaN(number)) assert.equal(again[i], i, `${number}`);
  });
  assert.ok(Number.isNaN(decodeElements(Uint8Array.of(0, 0x7e), "float16")[0]));
});

Deno.test("float16 rounds to nearest, halves to even, and overflows to infinity", () => {
  const cases: [number, number][] = [
    [1 + 2 ** -11, 1], // halfway, below is even
    [1 + 3 * 2 ** -11, 1 + 2 ** -9], // halfway, above is even
    [1 - 2 ** -13, 1], // carries into the exponent
    [65519, 65504],
    [65520, Infinity],
    [-1e9, -Infinity],
    [2 ** -25, 0],
    [2 ** -24 * 0.75, 2 ** -24],
    [2 ** -14 - 2 ** -26, 2 ** -14], // the largest subnormal rounds up to a normal
  ];
  for (const [number, expected] of cases) {
    const bytes = encodeElements(Float64Array.of(number), "float16");
    assert.deepEqual(decodeElements(bytes, "float16"), [expected], `${number}`);
  }
});

Deno.test("bfloat16 rounds the float32 to nearest even", () => {
  const cases: [number, number][] = [
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [-3.140625, -3.140625],
    [NaN, NaN],
  ];
  for (const [number, expected] of cases) {
    const bytes = encodeElements(Float64Array.of(number), "bfloat16");
    assert.deepEqual(decodeElements(bytes, "bfloat16"), [expected], `${number}`);
  }
});
