import { strict as assert } from "node:assert";
import { join } from "node:path";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { read } from "../../weights/read.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

const byte = (name: string, value: number) =>
  tensorInMemory(name, "U8", [1], new Uint8Array([value]));

async function shards(folder: string, index: unknown): Promise<string> {
  await writeSafetensors(join(folder, "m-00001-of-00002.safetensors"), [byte("a", 1)]);
  await writeSafetensors(join(folder, "m-00002-of-00002.safetensors"), [
    byte("b", 2),
    byte("c", 3),
  ]);
  const path = join(folder, "m.safetensors.index.json");
  await Deno.writeTextFile(path, typeof index === "string" ? index : JSON.stringify(index));
  return path;
}

const WHOLE = {
  metadata: { total_size: 3 },
  weight_map: {
    c: "m-00002-of-00002.safetensors",
    a: "m-00001-of-00002.safetensors",
    b: "m-00002-of-00002.safetensors",
  },
};

Deno.test("openSharded joins the shards that the index names", async () => {
  await inTemporaryFolder(async (folder) => {
    const source = await openWeights(await shards(folder, WHOLE));
    assert.deepEqual([...source.names()].sort(), ["a", "b", "c"]);
    assert.deepEqual([...await read(source.get("c")!)], [3]);
    assert.deepEqual(source.metadata, { total_size: "3" });
  });
});

const REFUSED: [what: string, index: unknown, message: RegExp, key?: string][] = [
  [
    "a tensor that its shard lacks",
    {
      weight_map: { a: "m-00002-of-00002.safetensors" },
    },
    /tensor a is not in m-00002/,
    "a",
  ],
  ["a shard that is absent", { weight_map: { a: "other.safetensors" } }, /no such file/],
  [
    "a shard outside the folder",
    { weight_map: { a: "../m.safetensors" } },
    /not the name of a file/,
  ],
  ["an absolute shard", { weight_map: { a: "/etc/passwd" } }, /not the name of a file/, "a"],
  ["a shard with a backslash", { weight_map: { a: "..\\m" } }, /not the name of a file/, "a"],
  ["itself as a shard", { weight_map: { a: "m.safetensors.index.json" } }, /JSON text/],
  ["an index without a map", { weight_map: [] }, /no weight_map object/, "weight_map"],
  ["an index that is null", null, /no weight_map object/],
  ["an index that is not JSON", "{", /it is not JSON/],
];

for (const [what, index, message, key] of REFUSED) {
  Deno.test(`openSharded refuses ${what}`, async () => {
    await inTemporaryFolder(async (folder) => {
      const path = await shards(folder, index);
      const error: unknown = await openWeights(path).catch((thrown: unknown) => thrown);
      assert(error instanceof ModelFormatError, String(error));
      assert.match(error.message, message);
      if (key !== undefined) assert.equal(error.key, key);
    });
  });
}
