import { strict as assert } from "node:assert";
import { join } from "node:path";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { openTorchFile } from "../../weights/torch_file.ts";
import { assertEqualsGolden, GOLDEN } from "./golden.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";
import { zipOf } from "./zip_of.ts";

async function refusal(path: string): Promise<ModelFormatError> {
  const error: unknown = await openTorchFile(path).catch((thrown: unknown) => thrown);
  assert(error instanceof ModelFormatError, `opened, or threw ${error}`);
  assert.doesNotMatch(error.message, /\n/);
  return error;
}

for (
  const [file, what] of [
    ["dtypes.pt", "every dtype, a scalar and an empty tensor"],
    ["protocol4.pt", "a pickle of protocol 4"],
    ["views.bin", "views of one storage, transposed and strided ones too"],
    ["lightning.ckpt", "the state_dict of a Lightning checkpoint, with its numbers as metadata"],
    ["embedding.pt", "an embedding of AUTOMATIC1111's web UI"],
    ["embedding_module.pt", "an embedding whose vectors are in a ParameterDict"],
  ] as const
) {
  Deno.test(`openTorchFile reads ${what}`, async () => {
    await assertEqualsGolden(await openTorchFile(join(GOLDEN, file)), file);
  });
}

Deno.test("openTorchFile leaves contiguous tensors in the file and gathers the others", async () => {
  const source = await openTorchFile(join(GOLDEN, "views.bin"));
  const inFile = (name: string) => "file" in source.get(name)!.location;
  for (const name of ["whole", "row", "parameter", "one"]) assert(inFile(name), name);
  for (const name of ["columns", "transposed", "step", "permuted"]) assert(!inFile(name), name);
});

const REFUSED: [file: string, message: RegExp][] = [
  ["evil.pt", /it names posix\.system, which weights do not need.*\.safetensors/],
  ["module.pt", /it names torch\.nn\.modules\.container\.Sequential/],
  ["legacy.pt", /not a zip archive; it looks like a Python pickle \(a torch file from before/],
  ["compressed.pt", /compressed, which torch never does.*entry "dtypes\/data.pkl"/],
  ["expanded.pt", /strides repeat elements/],
  ["plain.safetensors", /not a zip archive/],
];
for (const [file, message] of REFUSED) {
  Deno.test(`openTorchFile refuses ${file} and says why`, async () => {
    const error = await refusal(join(GOLDEN, file));
    assert.match(error.message, message);
    assert.match(error.message, new RegExp(file.replace(".", "\\.")));
  });
}

Deno.test("openTorchFile refuses a file cut at any length", async () => {
  const whole = await Deno.readFile(join(GOLDEN, "embedding.pt"));
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "cut.pt");
    for (let length = 0; length < whole.length; length += 13) {
      await Deno.writeFile(path, whole.subarray(0, length));
      await refusal(path);
    }
  });
});

Deno.test("openTorchFile survives damaged bytes: it opens, or throws ModelFormatError", async () => {
  const whole = await Deno.readFile(join(GOLDEN, "embedding.pt"));
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "damaged.pt");
    for (let i = 0; i < whole.length; i += 7) {
      const damaged = whole.slice();
      damaged[i]! ^= 1 << (i % 8);
      await Deno.writeFile(path, damaged);
      const result: unknown = await openTorchFile(path).catch((thrown: unknown) => thrown);
      assert(!(result instanceof Error) || result instanceof ModelFormatError, String(result));
    }
  });
});

Deno.test("openTorchFile refuses a storage that is not an entry of the archive", async () => {
  const pickle = pickleOfTensor({ key: "../../../etc/passwd", shape: [1] });
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.pt");
    await Deno.writeFile(path, zipOf({ "a/data.pkl": pickle, "a/data/0": new Uint8Array(4) }));
    const error = await refusal(path);
    assert.match(error.message, /no entry "a\/data\/\.\.\/\.\.\/\.\.\/etc\/passwd"/);
    assert.equal(error.key, "w");
  });
});

Deno.test("openTorchFile refuses tensors that reach beyond their storage", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.pt");
    for (const tensor of [{ shape: [2] }, { shape: [1], offset: 1 }, { shape: [255, 255, 255] }]) {
      const pickle = pickleOfTensor({ key: "0", ...tensor });
      await Deno.writeFile(path, zipOf({ "a/data.pkl": pickle, "a/data/0": new Uint8Array(4) }));
      assert.match((await refusal(path)).message, /does not fit its storage; got 4 bytes/);
    }
    const fits = pickleOfTensor({ key: "0", shape: [1] });
    await Deno.writeFile(path, zipOf({ "a/data.pkl": fits, "a/data/0": new Uint8Array(4) }));
    assert.deepEqual([...(await openTorchFile(path)).names()], ["w"]);
  });
});

Deno.test("openTorchFile refuses big-endian numbers and archives that are no checkpoint", async () => {
  const pickle = pickleOfTensor({ key: "0", shape: [1] });
  const big = new TextEncoder().encode("big");
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.pt");
    await Deno.writeFile(path, zipOf({ "a/data.pkl": pickle, "a/byteorder": big }));
    assert.match((await refusal(path)).message, /big-endian, expected little/);
    await Deno.writeFile(path, zipOf({ "readme.txt": big }));
    assert.match((await refusal(path)).message, /0 entries named \*\/data\.pkl/);
    await Deno.writeFile(path, zipOf({ "a/data.pkl": pickle, "b/data.pkl": pickle }));
    assert.match((await refusal(path)).message, /2 entries named/);
  });
});

Deno.test("openWeights goes by what a file is, not by its name", async () => {
  await inTemporaryFolder(async (folder) => {
    const torch = join(folder, "a.safetensors");
    await Deno.copyFile(join(GOLDEN, "dtypes.pt"), torch);
    assert.notEqual((await openWeights(torch)).get("f32"), undefined);
    const plain = join(folder, "model");
    await Deno.copyFile(join(GOLDEN, "plain.safetensors"), plain);
    assert.notEqual((await openWeights(plain)).get("f32"), undefined);
    const text = join(folder, "a.ckpt");
    await Deno.writeTextFile(text, "hello");
    await assert.rejects(openWeights(text), /not a zip archive; it looks like a text file/);
  });
});

/** `{"w": torch._utils._rebuild_tensor_v2(FloatStorage key, offset, shape, row-major strides)}`. */
function pickleOfTensor(
  { key, shape, offset = 0 }: { key: string; shape: number[]; offset?: number },
): Uint8Array {
  const text = (s: string) => `\x8c${String.fromCharCode(s.length)}${s}`;
  const numbers = (values: number[]) =>
    `(${
      values.map((n) => `J${String.fromCharCode(n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24)}`)
        .join("")
    }t`;
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
  const storage = `(${text("storage")}ctorch\nFloatStorage\n${text(key)}${text("cpu")}K\x01tQ`;
  const args = `(${storage}K${String.fromCharCode(offset)}${numbers(shape)}${
    numbers(strides)
  }\x89Nt`;
  const pickle = `\x80\x02}${text("w")}ctorch._utils\n_rebuild_tensor_v2\n${args}Rs.`;
  return Uint8Array.from(pickle, (character) => character.charCodeAt(0));
}
