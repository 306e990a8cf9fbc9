import { strict as assert } from "node:assert";
import { join } from "node:path";
import { read } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { assertEqualsGolden, GOLDEN } from "./golden.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

const one = (name: string) => tensorInMemory(name, "F32", [1], new Float32Array([1]));
const namesIn = async (folder: string) =>
  (await Array.fromAsync(Deno.readDir(folder))).map((e) => e.name);

Deno.test("writeSafetensors writes what it read back, and the same file for any order", async () => {
  await inTemporaryFolder(async (folder) => {
    const source = await openSafetensors(join(GOLDEN, "plain.safetensors"));
    const tensors = [...source.names()].map((name) => source.get(name)!);
    const a = join(folder, "a.safetensors"), b = join(folder, "b.safetensors");
    await writeSafetensors(a, tensors, { metadata: source.metadata });
    await writeSafetensors(b, tensors.reverse(), { metadata: source.metadata });
    await assertEqualsGolden(await openSafetensors(a), "plain.safetensors");
    assert.deepEqual(await Deno.readFile(a), await Deno.readFile(b));
    assert.deepEqual(await namesIn(folder).then((n) => n.sort()), [
      "a.safetensors",
      "b.safetensors",
    ]);
  });
});

Deno.test("writeSafetensors aligns every tensor to its element, with metadata of any length", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    const odd = tensorInMemory("a", "U8", [3], new Uint8Array(3));
    const wide = tensorInMemory("z", "F64", [1], new Float64Array([1]));
    for (const note of ["", "x", "xy", 'ü"\n']) {
      await writeSafetensors(path, [odd, one("m"), wide], { metadata: { note } });
      const source = await openSafetensors(path);
      const offsets = [...source.names()].map((name) => {
        const { location } = source.get(name)!;
        return [name, "file" in location ? location.offset % 8 : NaN];
      });
      assert.deepEqual(offsets, [["z", 0], ["m", 0], ["a", 4]]);
      assert.equal(source.metadata["note"], note);
    }
  });
});

Deno.test("writeSafetensors takes generated tensors piece by piece", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await writeSafetensors(path, [{
      name: "made",
      dtype: "U8",
      shape: [2, 2],
      *generate() {
        yield new Uint8Array([1]);
        yield new Uint8Array([2, 3, 4]);
      },
    }]);
    const source = await openSafetensors(path);
    assert.deepEqual([...await read(source.get("made")!)], [1, 2, 3, 4]);
  });
});

Deno.test("writeSafetensors that fails leaves the old file and nothing beside it", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await writeSafetensors(path, [one("old")]);
    const before = await Deno.readFile(path);
    const short = {
      name: "b",
      dtype: "U8",
      shape: [9],
      generate: () => [new Uint8Array(1)],
    } as const;
    await assert.rejects(writeSafetensors(path, [one("a"), short]), /got 1, expected 9/);
    await assert.rejects(writeSafetensors(path, [one("a"), one("a")]), TypeError);
    await assert.rejects(writeSafetensors(path, [one("__metadata__")]), /reserved/);
    assert.deepEqual(await Deno.readFile(path), before);
    assert.deepEqual(await namesIn(folder), ["a.safetensors"]);
  });
});

Deno.test("writeSafetensors can replace the very file that its tensors come from", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await writeSafetensors(path, [one("a"), one("b")]);
    const source = await openSafetensors(path);
    await writeSafetensors(path, [source.get("b")!]);
    assert.deepEqual([...(await openSafetensors(path)).names()], ["b"]);
  });
});
