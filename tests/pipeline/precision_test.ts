/** Networks with weights of 8 and 4 bits: their pictures, their files, what cannot be asked for. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import {
  cuda,
  type Image,
  type OpenOptions,
  openvino,
  OptionError,
  StableDiffusion,
} from "../../mod.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";
import { psnr } from "./difference.ts";

const REFERENCE = fileURLToPath(new URL("../golden/reference/", import.meta.url));
const XL = fileURLToPath(new URL("../golden/containers/base/", import.meta.url));
const TINY = { seed: 5, steps: 2, width: 64, height: 64 };

/** Runs with the program's cache in a folder of its own. */
async function withCache(work: (folder: string) => Promise<void>): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const before = Deno.env.get("LATENT_CACHE");
    Deno.env.set("LATENT_CACHE", folder);
    try {
      await work(folder);
    } finally {
      if (before === undefined) Deno.env.delete("LATENT_CACHE");
      else Deno.env.set("LATENT_CACHE", before);
    }
  });
}

/** Draws with a model opened for it; counts what was quantized. */
async function drawn(
  options: OpenOptions,
  model?: string,
): Promise<{ image: Image; made: number }> {
  let made = 0;
  await using sd = await StableDiffusion.open(model, {
    ...options,
    onConvert: (done, total) => made += Number(done === total),
  });
  const image = await sd.generate({ prompt: "a red seven on a blue background", ...TINY });
  return { image, made };
}

Deno.test("the embedded model draws nearly the same with 8 bits, and with 4", async () => {
  await withCache(async () => {
    const open = (precision: "float32" | "int8" | "int4") =>
      StableDiffusion.open(undefined, { precision });
    await using float = await open("float32");
    await using eight = await open("int8");
    await using four = await open("int4");
    const prompts = ["a red seven on a blue background", "a bold yellow three"];
    let ofEight = 0, ofFour = 0;
    for (const [seed, prompt] of prompts.entries()) {
      const options = { prompt, seed, steps: 8, scheduler: "DPM++ 2M" };
      const image = await float.generate(options);
      ofEight += psnr(image, await eight.generate(options)) / prompts.length;
      ofFour += psnr(image, await four.generate(options)) / prompts.length;
    }
    assert.ok(ofEight >= 32 && ofEight < 60, `8 bits: ${ofEight} dB`);
    assert.ok(ofFour >= 24 && ofFour < ofEight, `4 bits: ${ofFour} dB`);
  });
});

Deno.test("quantized weights are made once, and again for others", async () => {
  await withCache(async (folder) => {
    const first = await drawn({ precision: "int8" });
    const second = await drawn({ precision: "int8" });
    assert.deepEqual([first.made, second.made], [2, 0]);
    assert.deepEqual(second.image.data, first.image.data);
    const names = [...Deno.readDirSync(join(folder, "quantized"))].map(({ name }) => name).sort();
    assert.equal(names.length, 2);
    assert.match(names[0]!, /^unet-int8-[0-9a-f]{32}\.safetensors$/);
    assert.match(names[1]!, /^vae_decoder-int8-[0-9a-f]{32}\.safetensors$/);
    const four = await drawn({ precision: "int4" });
    assert.equal(four.made, 2);
  });
});

Deno.test("a merged LoRA is quantized with the weights; one at run time stays beside them", async () => {
  await withCache(async () => {
    const model = join(REFERENCE, "models/sd1");
    const loras = [{ path: join(REFERENCE, "lora/kohya.safetensors"), weight: 1 }];
    const plain = await drawn({ precision: "int8" }, model);
    const merged = await drawn({ precision: "int8", loras }, model);
    const besides = await drawn({ precision: "int8", loras, loraMode: "runtime" }, model);
    const again = await drawn({ precision: "int8", loras: [{ ...loras[0]!, weight: 0.5 }] }, model);
    // The LoRA does not change the decoder. The U-Net's other layers are made once for all LoRAs that
    // change the same ones; those that it changes, every time.
    assert.deepEqual([plain.made, merged.made, again.made, besides.made], [2, 2, 1, 0]);
    const float = await drawn({ loras }, model);
    const distance = psnr(float.image, merged.image);
    assert.ok(distance > psnr(float.image, plain.image) + 3, `${distance} dB`);
    assert.ok(psnr(float.image, besides.image) > distance - 6);
  });
});

Deno.test("SDXL's networks run with 8 and 4 bits", async () => {
  await withCache(async () => {
    const model = XL;
    const { image } = await drawn({}, model);
    const { image: eight } = await drawn({ precision: "int8" }, model);
    const { image: four } = await drawn({ precision: "int4" }, model);
    assert.ok(psnr(image, eight) > 30, `8 bits: ${psnr(image, eight)} dB`);
    assert.ok(psnr(image, four) > 15, `4 bits: ${psnr(image, four)} dB`);
  });
});

Deno.test("without a cache folder weights are quantized in memory", async () => {
  await withCache(async (folder) => {
    await Deno.writeTextFile(join(folder, "quantized"), "a file where the folder should be");
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    const { made } = await drawn({ precision: "int8", onWarning });
    assert.equal(made, 2);
    assert.match(warnings[0]!, /^unet-int8 weights cannot be kept in .*quantized/);
  });
});

Deno.test("a precision that is none, or that a provider has not, is an error", async () => {
  const refused = (options: OpenOptions, why: RegExp) =>
    assert.rejects(StableDiffusion.open(undefined, options), (error: Error) => {
      assert.ok(error instanceof OptionError && error.option === "precision");
      assert.match(error.message, why);
      return true;
    });
  await refused(
    { precision: "int3" as "int8" },
    /one of float32, float16, bfloat16, int8, int4; got int3/,
  );
  await refused({ precision: "int8", providers: [cuda()] }, /only the CPU.*got provider CUDA/);
  await refused({ precision: "bfloat16" }, /only OpenVINO computes in it; got provider CPU/);
  const second = { precision: "bfloat16", providers: [cuda(), openvino()] } as const;
  await refused(second, /only OpenVINO computes in it; got provider CUDA/);
});

Deno.test("pictures with 8 bits are drawn one at a time, whatever is said", async () => {
  await withCache(async () => {
    await using sd = await StableDiffusion.open(undefined, { precision: "int8" });
    assert.equal(sd.batchSize(sd.settings({ prompt: "a two" })), 1);
    const many = sd.generateMany([{ prompt: "a two", ...TINY }], { batch: 2 });
    await assert.rejects(many.next(), /in step with precision int8.*a batch of 2/);
  });
});

Deno.test("--precision is written into the picture, and verified with it", async () => {
  await withCache(async (folder) => {
    const path = join(folder, "a.png"), again = join(folder, "b.png");
    const quiet = "--quiet", steps = ["--steps", "3"];
    const draw = ["generate", "a red two", "--seed", "3", ...steps, "-o", path, quiet];
    assert.equal(await main([...draw, "--precision", "int8"]), 0);
    assert.equal(await main(["verify", path, quiet]), 0);
    assert.equal(await main(["generate", "--from", path, "-o", again, quiet]), 0);
    assert.deepEqual(await Deno.readFile(again), await Deno.readFile(path));
    assert.equal(await main(["verify", path, "--precision", "float32", quiet]), 1);
  });
});
