/** InstructPix2Pix on SDXL, held against diffusers' pictures of the same tiny model. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Image, StableDiffusion } from "../../mod.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const BASE = join(GOLDEN, "containers/base"), EDIT = join(GOLDEN, "edit_xl");

/** The tiny SDXL with a first convolution that sees a picture beside the latents. */
async function editModel(folder: string, isCosXl: boolean): Promise<string> {
  for (const { name } of Deno.readDirSync(BASE)) {
    if (name !== "unet" && name !== "model_index.json") {
      await Deno.symlink(join(BASE, name), join(folder, name));
    }
  }
  const json = async (path: string) => JSON.parse(await Deno.readTextFile(join(BASE, path)));
  const write = (path: string, value: unknown) =>
    Deno.writeTextFile(join(folder, path), JSON.stringify(value));
  await write("model_index.json", {
    ...await json("model_index.json"),
    _class_name: "StableDiffusionXLInstructPix2PixPipeline",
    is_cosxl_edit: isCosXl,
  });
  await Deno.mkdir(join(folder, "unet"));
  await write("unet/config.json", { ...await json("unet/config.json"), in_channels: 8 });
  const file = "unet/diffusion_pytorch_model.safetensors";
  const weights = await openSafetensors(join(BASE, file));
  const wide = await openSafetensors(join(EDIT, "conv_in.safetensors"));
  const tensors = [...weights.names()].map((name) => wide.get(name) ?? weights.get(name)!);
  await writeSafetensors(join(folder, file), tensors);
  return folder;
}

const { cases } = JSON.parse(Deno.readTextFileSync(join(EDIT, "cases.json"))) as {
  cases: Record<string, { cosxl: boolean; negative: string | null }>;
};
for (const [name, { cosxl, negative }] of Object.entries(cases)) {
  Deno.test(`generate() edits by SDXL as diffusers does: ${name}`, () =>
    inTemporaryFolder(async (folder) => {
      await using sd = await StableDiffusion.open(await editModel(folder, cosxl), { threads: 1 });
      const drawn = await sd.generate({
        prompt: "a watercolour of a fox in the snow",
        ...(negative !== null && { negativePrompt: negative }),
        image: await Image.load(join(GOLDEN, "containers/init.png")),
        ...{ steps: 4, guidanceScale: 4, imageGuidanceScale: 1.3, seed: 7 },
        scheduler: "EulerDiscreteScheduler",
      });
      const expected = await Image.load(join(EDIT, `${name}.png`));
      let largest = 0, sum = 0;
      drawn.data.forEach((value, i) => {
        const d = Math.abs(value - expected.data[i]!);
        largest = Math.max(largest, d);
        sum += d;
      });
      const mean = sum / drawn.data.length;
      assert.ok(largest <= 3 && mean <= 0.1, `largest ${largest}, mean ${mean}`);
    }));
}
