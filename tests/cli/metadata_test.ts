/** Pictures that tell how they were made, and are made again from that. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import { Image, metadataOfFile } from "../../mod.ts";
import { inFolder, printed } from "./process.ts";

const MODEL = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));
const DRAW = ["--width", "64", "--height", "64", "--steps", "2", "--seed", "5", "--quiet"];

/** Runs with the lines of both streams returned. */
async function run(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  const errors: string[] = [], { error } = console;
  let code = 0;
  console.error = (...values: unknown[]) => errors.push(values.join(" "));
  try {
    const out = await printed(async () => {
      code = await main(args);
      return 0;
    });
    return { code, out: out.trimEnd(), errors: errors.join("\n") };
  } finally {
    console.error = error;
  }
}

Deno.test("latent metadata says what a picture of its own was made with", () =>
  inFolder(async (folder) => {
    const path = join(folder, "x.png");
    await run("generate", "a fox, red", "-n", "blue", "-m", MODEL, ...DRAW, "-o", path);
    const { code, out } = await run("metadata", path, "--json");
    const { prompt, negativePrompt, seed, steps, width, record } = JSON.parse(out);
    assert.deepEqual(
      [code, prompt, negativePrompt, seed, steps, width],
      [0, "a fox, red", "blue", 5, 2, 64],
    );
    assert.equal(record.model.path, MODEL);
    assert.match(record.model.weights[0].sha256, /^[0-9a-f]{64}$/);
    assert.ok(record.versions.onnxruntime);
  }));

Deno.test("latent verify draws a picture again, bit for bit, and tells when it is another", () =>
  inFolder(async (folder) => {
    const path = join(folder, "x.png");
    const flags = ["--scheduler", "euler_a", "--cfg-scale", "4", "--guidance-end", "0.5"];
    await run("generate", "a fox", "-m", MODEL, ...DRAW, ...flags, "-o", path);
    assert.deepEqual(await run("verify", path, "--quiet"), { code: 0, out: "", errors: "" });
    const changed = await Image.load(path);
    changed.data[0]! ^= 64;
    await changed.save(path);
    const { code, errors } = await run("verify", path, "--quiet");
    assert.equal(code, 1);
    assert.match(errors, /is not what its own record draws here: a channel differs by 64 of 255/);
  }));

Deno.test("latent generate --no-metadata leaves no trace, and metadata says so", () =>
  inFolder(async (folder) => {
    const path = join(folder, "x.png");
    await run("generate", "a fox", "-m", MODEL, ...DRAW, "--no-metadata", "-o", path);
    assert.equal(await metadataOfFile(path), undefined);
    const { code, errors } = await run("metadata", path);
    assert.deepEqual([code, /does not say how it was made/.test(errors)], [1, true]);
  }));

Deno.test("latent generate --from draws a picture again, and with other flags another", () =>
  inFolder(async (folder) => {
    const [a, b, c] = ["a.png", "b.png", "c.png"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await run("generate", "a fox", "-m", MODEL, ...DRAW, "--scheduler", "ddim", "-o", a);
    assert.equal((await run("generate", "--from", a, "--quiet", "-o", b)).code, 0);
    assert.deepEqual((await Image.load(b)).data, (await Image.load(a)).data);
    assert.equal((await run("generate", "a hen", "--from", a, "--quiet", "-o", c)).code, 0);
    const meta = await metadataOfFile(c);
    assert.deepEqual([meta?.prompt, meta?.seed, meta?.steps], ["a hen", 5, 2]);
    assert.notDeepEqual((await Image.load(c)).data, (await Image.load(a)).data);
  }));
