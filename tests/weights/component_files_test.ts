import { strict as assert } from "node:assert";
import { join } from "node:path";
import { findComponentFile } from "../../weights/component_files.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

async function found(files: string[], variant?: string) {
  let result: { name: string; variant: string | undefined } | undefined;
  await inTemporaryFolder(async (folder) => {
    for (const file of files) await Deno.writeTextFile(join(folder, file), "");
    const { path, ...rest } = await findComponentFile(folder, { variant });
    result = { name: path.slice(folder.length + 1), ...rest };
  });
  return result;
}

const FOUND: [files: string[], variant: string | undefined, name: string, given?: string][] = [
  [["config.json", "model.safetensors"], undefined, "model.safetensors"],
  [["pytorch_model.bin", "model.safetensors"], undefined, "model.safetensors"],
  [["pytorch_model.bin"], undefined, "pytorch_model.bin"],
  [["diffusion_pytorch_model.bin"], undefined, "diffusion_pytorch_model.bin"],
  [["model.safetensors", "model.fp16.safetensors"], undefined, "model.safetensors"],
  [["model.safetensors", "model.fp16.safetensors"], "fp16", "model.fp16.safetensors", "fp16"],
  [["model.safetensors", "pytorch_model.fp16.bin"], "fp16", "pytorch_model.fp16.bin", "fp16"],
  // As diffusers: a component without the variant comes plain, and the result says so.
  [["model.safetensors"], "fp16", "model.safetensors"],
  [
    [
      "diffusion_pytorch_model.safetensors.index.json",
      "diffusion_pytorch_model-00001-of-00002.safetensors",
    ],
    undefined,
    "diffusion_pytorch_model.safetensors.index.json",
  ],
  [
    ["model.safetensors.index.fp16.json", "model.fp16-00001-of-00002.safetensors"],
    "fp16",
    "model.safetensors.index.fp16.json",
    "fp16",
  ],
  [["model.fp16.safetensors.index.json"], "fp16", "model.fp16.safetensors.index.json", "fp16"],
  [["pytorch_model.bin.index.json"], undefined, "pytorch_model.bin.index.json"],
];

for (const [files, variant, name, given] of FOUND) {
  Deno.test(`findComponentFile takes ${name} of ${files} for variant ${variant}`, async () => {
    assert.deepEqual(await found(files, variant), { name, variant: given });
  });
}

Deno.test("findComponentFile names the variants when only they are there", async () => {
  await assert.rejects(
    found(["model.fp16.safetensors", "model.safetensors.index.bf16.json"]),
    /Ask for the variant that it has: bf16 or fp16\./,
  );
  await assert.rejects(found(["config.json"]), /got config\.json\. Download/);
  await assert.rejects(findComponentFile("/nowhere/at/all"), /no such folder/);
});
