import { strict as assert } from "node:assert";
import { join } from "node:path";
import { openGguf } from "../../weights/gguf_file.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { read, toFloat32 } from "../../weights/read.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

const GOLDEN = join(import.meta.dirname!, "../golden/gguf");
const FILE = join(GOLDEN, "formats.gguf");

interface Golden {
  readonly tensors: Record<string, { dtype: string; shape: number[]; values: number[] }>;
}
const golden = async () =>
  JSON.parse(await Deno.readTextFile(join(GOLDEN, "expected.json"))) as Golden;

Deno.test("openGguf finds every tensor, with its shape the right way round, and the notes", async () => {
  const { tensors } = await golden();
  const source = await openWeights(FILE);
  assert.deepEqual([...source.names()].sort(), Object.keys(tensors).sort());
  for (const [name, { dtype, shape }] of Object.entries(tensors)) {
    const tensor = source.get(name)!;
    assert.deepEqual([tensor.dtype, tensor.shape], [dtype, shape], name);
    assert.equal("file" in tensor.location, !name.startsWith("model."), name);
  }
  assert.equal(source.metadata["general.name"], "tiny");
  assert.equal(source.metadata["sd.answer"], "42");
});

for (
  const name of [
    ..."Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K".split(" ").map((n) => `model.${n}`),
    "model.conv",
    "f32",
    "f16",
    "bf16",
  ]
) {
  Deno.test(`openGguf gives the values of ${name} that ggml's own tools give, to float16`, async () => {
    const { values } = (await golden()).tensors[name]!;
    const actual = await toFloat32((await openGguf(FILE)).get(name)!);
    assert.equal(actual.length, values.length);
    for (const [i, value] of values.entries()) {
      const allowed = Math.max(Math.abs(value) * 2 ** -11, 2 ** -25) * 1.01;
      assert(Math.abs(actual[i]! - value) <= allowed, `[${i}] got ${actual[i]}, expected ${value}`);
    }
  });
}

Deno.test("openGguf widens quantized data on demand, the same again later", async () => {
  const tensor = (await openGguf(FILE)).get("model.Q4_K")!;
  const once = (await read(tensor)).slice();
  assert.deepEqual(await read(tensor), once);
});

Deno.test("openGguf refuses files that are cut, at any length, with the file's name", async () => {
  const whole = await Deno.readFile(FILE);
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "cut.gguf");
    for (let length = 4; length < whole.length; length += 97) {
      await Deno.writeFile(path, whole.subarray(0, length));
      const result: unknown = await openGguf(path).catch((thrown: unknown) => thrown);
      assert(result instanceof ModelFormatError, `opened at ${length}, or threw ${result}`);
      assert.equal(result.path, path);
    }
  });
});

Deno.test("openGguf refuses other files, and formats that it does not know", async () => {
  await assert.rejects(openGguf(join(GOLDEN, "expected.json")), /magic number/);
  const bytes = await Deno.readFile(FILE);
  const name = new TextEncoder().encode("model.Q6_K");
  const at = bytes.findIndex((_, i) => name.every((byte, j) => bytes[i + j] === byte));
  new DataView(bytes.buffer).setUint32(at + name.length + 4 + 2 * 8, 19, true); // IQ1_S
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.gguf");
    await Deno.writeFile(path, bytes);
    await assert.rejects(openGguf(path), (error: ModelFormatError) => {
      assert.match(error.message, /ggml's type 19 is not known/);
      return error instanceof ModelFormatError && error.key === "model.Q6_K";
    });
  });
});
