/** `latent explain model FILE` on each kind of file: one report, with what matters of that kind. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { openLaboratory, type Report } from "../../explain/mod.ts";
import { model } from "../../explain/model.ts";
import { openRuntime } from "../../ffi/runtime.ts";

openRuntime(); // stays loaded: no leak of the test that happens to come first

const GOLDEN = join(import.meta.dirname!, "../golden");

/** The report on a file. */
async function report(path: string): Promise<Report> {
  await using laboratory = await openLaboratory(undefined, {
    open: {},
    seed: 1n,
    progress: () => {},
    subject: join(GOLDEN, path),
  });
  return await model.run(laboratory);
}

const KINDS: readonly (readonly [path: string, facts: readonly RegExp[], isSafe?: boolean])[] = [
  ["reference/lora/kohya.safetensors", [/^kind: LoRA of \d+ layers/, /^rank: \d+/, /^form: lora/]],
  ["reference/lora/peft.safetensors", [/^kind: LoRA of \d+ layers/, /^alpha \/ rank: /]],
  ["reference/embedding/thing.safetensors", [/^kind: textual inversion/, /^word: <thing>/]],
  [
    "reference/models/controlnet/diffusion_pytorch_model.safetensors",
    [/^kind: ControlNet/, /^control picture: 3 channels/],
  ],
  ["reference/models/controlnet", [/^kind: ControlNet/]],
  [
    "containers/taesd/diffusion_pytorch_model.safetensors",
    [/^kind: TAESD/, /^halves: encoder and decoder/, /^latents: 4 channels, 1 \/ 8/],
  ],
  ["reference/models/sd1/vae", [/^kind: autoencoder/, /^scale: 0\.18215/]],
  ["reference/models/sd1/unet", [/^kind: .*one part of a diffusers folder/]],
  ["containers/refiner", [/^kind: StableDiffusionXLImg2ImgPipeline/, /^family: sdxl/]],
  [
    "containers/onnx-xl/unet/model.onnx",
    [/^kind: ONNX network/, /^takes: sample float32/, /^weights: \d+, in model\.onnx_data/],
  ],
  ["gguf/formats.gguf", [/^kind: weights of a kind that is not known/]],
  ["weights/lightning.ckpt", [/^kind: /]],
  ["weights/evil.pt", [/^kind: a pickle that is not opened/], false],
];

for (const [path, facts, isSafe = true] of KINDS) {
  Deno.test(`latent explain model tells what ${path} is`, async () => {
    const { blocks: [about], claims } = await report(path);
    assert.ok(about?.kind === "table");
    const lines = about.rows.map(([what, found]) => `${what}: ${found}`);
    for (const fact of facts) {
      assert.ok(lines.some((line) => fact.test(line)), `${fact}\n${lines.join("\n")}`);
    }
    const wrong = claims.filter(({ holds }) => !holds);
    assert.equal(wrong.length === 0, isSafe, JSON.stringify(wrong));
  });
}
