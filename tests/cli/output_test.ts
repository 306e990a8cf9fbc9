import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "../../cli/flags.ts";
import { fill, openOutput } from "../../cli/output.ts";
import { Image } from "../../mod.ts";
import { inFolder } from "./process.ts";

const FIELDS = { index: 3, seed: 42n, prompt: "A Fox, in the snow! (été)" };
const pixel = () => new Image(1, 1, new Uint8ClampedArray([255, 0, 0]));

Deno.test("fill() replaces the fields and makes a file name of the prompt", () => {
  assert.equal(fill("{index}-{seed}-{prompt}.png", FIELDS), "0003-42-a-fox-in-the-snow-été.png");
});

Deno.test("openOutput() writes a picture to the path given, in a folder it makes", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "new", "x.png");
    const output = await openOutput(path, false);
    assert.equal(await output.save(pixel(), FIELDS), path);
    assert.deepEqual([...(await Deno.readFile(path)).subarray(1, 4)], [0x50, 0x4e, 0x47]);
    assert.deepEqual([...Deno.readDirSync(join(folder, "new"))].map((e) => e.name), ["x.png"]);
  });
});

Deno.test("openOutput() keeps several pictures apart by their seeds", async () => {
  await inFolder(async (folder) => {
    const one = await openOutput(join(folder, "x.png"), true);
    assert.equal(await one.save(pixel(), FIELDS), join(folder, "x-42.png"));
    const two = await openOutput(`${folder}/`, true);
    assert.equal(await two.save(pixel(), FIELDS), join(folder, "0003-42.png"));
  });
});

Deno.test("openOutput() refuses what is no picture file", async () => {
  await assert.rejects(openOutput("x.gifx", false), UsageError);
  await assert.rejects(openOutput("picture", false), /no extension/);
});

Deno.test("openOutput() finds out before the work that the place cannot be written", async () => {
  await assert.rejects(openOutput("/proc/none/x.png", false), /Cannot write \/proc\/none\/x\.png/);
  await inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    await assert.rejects(openOutput(join(folder, "file", "x.png"), false), /Cannot write/);
  });
});
