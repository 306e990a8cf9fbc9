import { strict as assert } from "node:assert";
import { join } from "node:path";
import { pieces, read, toFloat16, toFloat32 } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { expected } from "./golden.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

const everyHalf = Uint16Array.from({ length: 65536 }, (_, i) => i);

Deno.test("toFloat32 widens every float16 as torch does", async () => {
  const wide = await toFloat32(tensorInMemory("h", "F16", [65536], everyHalf));
  const bits = new Uint32Array(wide.buffer);
  // NaNs keep no agreed bits, so they count as 0, on both sides.
  const checksum = bits.reduce(
    (sum, value, i) => (Math.imul(sum, 31) + (Number.isNaN(wide[i]) ? 0 : value)) >>> 0,
    0,
  );
  assert.equal(checksum, await expected("half_checksum"));
});

Deno.test("toFloat32 widens every float8 as torch does", async () => {
  const float8 = await expected<Record<"F8_E4M3" | "F8_E5M2", (number | string)[]>>("float8");
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const dtype of ["F8_E4M3", "F8_E5M2"] as const) {
    const wide = await toFloat32(tensorInMemory("h", dtype, [256], every));
    // Signs of NaN differ in Python's text; Number makes them one.
    assert.deepEqual([...wide], float8[dtype].map(Number));
  }
});

Deno.test("toFloat16 is the inverse of toFloat32 on float16, and rounds to nearest even", async () => {
  const wide = await toFloat32(tensorInMemory("h", "F16", [65536], everyHalf));
  const back = await toFloat16(tensorInMemory("w", "F32", [65536], wide));
  const bits = new Uint16Array(back.buffer);
  for (let i = 0; i < 65536; i++) if (!Number.isNaN(wide[i])) assert.equal(bits[i], i);
  const ties = new Float32Array([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65520, -1e9]);
  const narrow = await toFloat16(tensorInMemory("t", "F32", [5], ties));
  assert.deepEqual([...narrow], [1, 1 + 2 ** -9, 65504, Infinity, -Infinity]);
});

Deno.test("toFloat16 takes bfloat16 and float64 through float32", async () => {
  const bf16 = tensorInMemory("b", "BF16", [2], new Uint16Array([0x3f80, 0xc000]));
  assert.deepEqual([...await toFloat16(bf16)], [1, -2]);
  const f64 = tensorInMemory("d", "F64", [1], new Float64Array([0.1]));
  assert.equal((await toFloat16(f64))[0], new Float16Array([0.1])[0]);
});

Deno.test("toFloat32 reads a file in pieces and loses nothing at their borders", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "big.safetensors");
    const count = 5_000_001; // 10 MB of float16: three pieces, the last an odd one
    const half = Uint16Array.from({ length: count }, (_, i) => (i * 7919) % 31744);
    await writeSafetensors(path, [tensorInMemory("h", "F16", [count], half)]);
    const tensor = (await openSafetensors(path)).get("h")!;
    const wide = await toFloat32(tensor);
    const whole = new Float16Array(half.buffer); // Compared in a loop: deepEqual takes long.
    assert.equal(wide.findIndex((value, i) => value !== whole[i]), -1);
    let seen = 0;
    for await (const { bytes, offset } of pieces(tensor)) {
      assert.equal(offset, seen);
      assert(bytes.length <= 4 << 20);
      seen += bytes.length;
    }
    assert.equal(seen, count * 2);
  });
});

Deno.test("toFloat32 takes memory that is not aligned, and read gives it as it is", async () => {
  const buffer = new Uint8Array(13);
  new DataView(buffer.buffer).setFloat64(3, 0.5, true);
  const tensor = tensorInMemory("d", "F64", [1], buffer.subarray(3, 11));
  assert.deepEqual([...await toFloat32(tensor)], [0.5]);
  assert.equal((await read(tensor)).buffer, buffer.buffer);
});

Deno.test("tensorInMemory refuses bytes that do not fill the shape", () => {
  assert.throws(() => tensorInMemory("t", "F32", [3], new Float32Array(2)), RangeError);
});
