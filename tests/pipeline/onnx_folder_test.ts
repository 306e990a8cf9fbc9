import assert from "node:assert/strict";
import { join } from "node:path";
import { openRuntime } from "../../ffi/runtime.ts";
import { Image, StableDiffusion } from "../../mod.ts";
import { openFolder } from "../../pipeline/model_parts.ts";
import { inFolder, MODEL, run } from "../cli/process.ts";
import { assertDrawnAs, CONTAINERS } from "./golden_pictures.ts";
import { difference } from "./difference.ts";

openRuntime(); // stays loaded: no leak of the test that happens to come first

const TORCH = join(CONTAINERS, "base"), XL = join(CONTAINERS, "onnx-xl");
const OLD = join(CONTAINERS, "onnx-old");
const SMALL = { prompt: "a fox in the snow", seed: 1, steps: 3, width: 64, height: 64 };

for (const name of ["denoising-end", "size-conditioning", "refiner-eulerancestraldiscrete"]) {
  Deno.test(`optimum's folder draws what diffusers draws of the torch folder: ${name}`, () =>
    assertDrawnAs(name, ["--model", XL]));
}

Deno.test("optimum's folder encodes and skips layers as the torch folder does", async () => {
  await using onnx = await StableDiffusion.open(XL);
  await using torch = await StableDiffusion.open(TORCH);
  const image = await Image.load(join(CONTAINERS, "init.png"));
  for (const more of [{ image, strength: 0.7 }, { clipSkip: 1 }, { width: 96, height: 64 }]) {
    const options = { ...SMALL, ...more, metadata: false };
    const a = await onnx.generate(options), b = await torch.generate(options);
    const worst = difference(a, b);
    assert.ok(worst <= 2, `${Object.keys(more)}: off by ${worst}`);
  }
});

Deno.test("a folder of diffusers' own ONNX script, in float16 and without configurations, draws", () =>
  assertDrawnAs("onnx-old"));

Deno.test("what latent export writes opens as a model, and draws the same picture", () =>
  inFolder(async (folder) => {
    const size = ["--width", "64", "--height", "64"];
    for (const [model, out] of [[TORCH, "xl"], [MODEL, "sd"]] as const) {
      const to = join(folder, out);
      assert.equal((await run("export", "--model", model, ...size, "--output", to)).code, 0);
      await using again = await StableDiffusion.open(to);
      await using torch = await StableDiffusion.open(model);
      const { width: _w, height: _h, ...options } = { ...SMALL, metadata: false };
      const a = await again.generate(options);
      const b = await torch.generate({ ...options, width: 64, height: 64 });
      assert.deepEqual([a.width, a.height], [64, 64]);
      const worst = difference(a, b);
      assert.ok(worst <= 2, `${out}: off by ${worst}`);
    }
  }));

Deno.test("an ONNX folder says in a line what cannot be done with it", () =>
  inFolder(async (folder) => {
    const lora = join(CONTAINERS, "../reference/lora/kohya.safetensors");
    const refused: [options: Parameters<typeof StableDiffusion.open>[1], why: RegExp][] = [
      [{ loras: [{ path: lora }] }, /Cannot merge LoRAs into .*onnx-old: its networks are ONNX/],
      [{ controlNets: [TORCH] }, /Cannot use ControlNets with .*onnx-old/],
      [{ embeddings: ["word.pt"] }, /Cannot teach words to .*onnx-old/],
    ];
    for (const [options, why] of refused) {
      await assert.rejects(StableDiffusion.open(OLD, options), why);
    }
    await using sd = await StableDiffusion.open(OLD);
    assert.throws(() => sd.settings({ ...SMALL, clipSkip: 1 }), /clipSkip changes a network/);
    assert.throws(() => sd.settings({ ...SMALL, freeU: { b1: 1, b2: 1, s1: 1, s2: 1 } }), /freeU/);
    const exported = await run("export", "--model", OLD, "--output", join(folder, "out"));
    assert.equal(exported.code, 1);
    assert.match(exported.errors, /Cannot read the weights of .*onnx-old.*ONNX files/);
    const images = join(CONTAINERS, "images");
    const train = ["train", "lora", "--model", OLD, "--images", images, "--prompt", "a fox"];
    const trained = await run(...train, "--output", join(folder, "l.safetensors"));
    assert.equal(trained.code, 1);
    assert.match(trained.errors, /Cannot read the weights of .*onnx-old.*ONNX files/);
  }));

Deno.test("an ONNX folder names the network that is missing, and a file that is another network", () =>
  inFolder(async (folder) => {
    const copy = async (from: string, to: string): Promise<void> => {
      await Deno.mkdir(to, { recursive: true });
      for await (const { name, isDirectory } of Deno.readDir(from)) {
        if (isDirectory) await copy(join(from, name), join(to, name));
        else await Deno.copyFile(join(from, name), join(to, name));
      }
    };
    await copy(OLD, folder);
    await Deno.copyFile(join(OLD, "vae_decoder/model.onnx"), join(folder, "unet/model.onnx"));
    {
      await using sd = await StableDiffusion.open(folder);
      await assert.rejects(sd.generate(SMALL), /unet\/model\.onnx: it takes latent_sample, which/);
    }
    await Deno.remove(join(folder, "vae_decoder/model.onnx"));
    await assert.rejects(openFolder(folder), /there is no vae_decoder\/model\.onnx/);
  }));
