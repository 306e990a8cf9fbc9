/** Networks in half precision: their pictures, on both loops, and what overflows. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Image, type OpenOptions, StableDiffusion } from "../../mod.ts";
import { toFloat32 } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";
import { psnr } from "./difference.ts";

const DIGITS = fileURLToPath(new URL("../../assets/digits/", import.meta.url));
const OPTIONS = { prompt: "a red seven on a blue background", seed: 5, steps: 6 };

async function drawn(options: OpenOptions): Promise<Image> {
  await using sd = await StableDiffusion.open(undefined, options);
  return await sd.generate(OPTIONS);
}

Deno.test("float16 draws what float32 draws, step by step and on the device", async () => {
  const float32 = await drawn({});
  for (const deviceLoop of [false, true]) {
    const float16 = await drawn({ precision: "float16", deviceLoop });
    const similar = psnr(float16, float32);
    assert.ok(similar > 35, `${similar} dB`);
    assert.notDeepEqual(float16.data, float32.data, "half precision was not used");
  }
});

/** Writes the embedded autoencoder with a first layer whose weights half precision cannot hold. */
async function enlargedVae(folder: string): Promise<string> {
  const vae = join(folder, "vae");
  await Deno.mkdir(vae);
  await Deno.copyFile(join(DIGITS, "vae/config.json"), join(vae, "config.json"));
  const [file] = [...Deno.readDirSync(join(DIGITS, "vae"))].map(({ name }) => name)
    .filter((name) => name.endsWith(".safetensors"));
  const source = await openSafetensors(join(DIGITS, "vae", file!));
  const tensors = [...source.names()].map((name) => {
    const tensor = source.get(name)!, factor = name.startsWith("decoder.conv_in.") ? 1e7 : 1;
    return {
      name,
      dtype: "F32" as const,
      shape: tensor.shape,
      async *generate() {
        yield new Uint8Array((await toFloat32(tensor)).map((x) => x * factor).buffer);
      },
    };
  });
  await writeSafetensors(join(vae, "diffusion_pytorch_model.safetensors"), tensors, {});
  return vae;
}

Deno.test("what overflows in float16 is decoded in float32, and it is said once", async () => {
  await inTemporaryFolder(async (folder) => {
    const vae = await enlargedVae(folder), warnings: string[] = [];
    await using sd = await StableDiffusion.open(undefined, {
      vae,
      precision: "float16",
      onWarning: (message) => void warnings.push(message),
    });
    const image = await sd.generate(OPTIONS);
    await sd.generate({ ...OPTIONS, seed: 6 });
    assert.deepEqual(warnings, [
      "the autoencoder overflows in float16: decoding in float32 from now on",
    ]);
    const float32 = await drawn({ vae });
    assert.ok(psnr(image, float32) > 35, `${psnr(image, float32)} dB`);
  });
});
