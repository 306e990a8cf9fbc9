import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../cli.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { openVae } from "../../pipeline/open_vae.ts";
import { StableDiffusion } from "../../mod.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { read } from "../../weights/read.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { inFolder, MODEL, run, SMALL } from "../cli/process.ts";
import { assertDrawnAs, assertSame, CONTAINERS } from "./golden_pictures.ts";

openRuntime(); // stays loaded: no leak of the test that happens to come first

const TAESD = join(CONTAINERS, "taesd");

for (const name of ["taesd-decode", "taesd-img2img"]) {
  Deno.test(`--vae with TAESD draws what diffusers draws: ${name}`, () => assertDrawnAs(name));
}

/** TAESD's two files as its author names layers. */
async function authorsFiles(folder: string): Promise<void> {
  const source = await openSafetensors(join(TAESD, "diffusion_pytorch_model.safetensors"));
  for (const half of ["encoder", "decoder"]) {
    const tensors = [];
    for (const name of source.names()) {
      const [, own, number, rest] = /^(\w+)\.layers\.(\d+)(\..+)$/.exec(name)!;
      if (own !== half) continue;
      const { dtype, shape } = source.get(name)!;
      const renamed = `${Number(number) + (half === "decoder" ? 1 : 0)}${rest}`;
      tensors.push(tensorInMemory(renamed, dtype, shape, await read(source.get(name)!)));
    }
    await writeSafetensors(join(folder, `taesd_${half}.safetensors`), tensors, {});
  }
}

Deno.test("openVae() reads TAESD in its author's names, from either file and from the folder", () =>
  inFolder(async (folder) => {
    await authorsFiles(folder);
    for (const path of ["taesd_decoder.safetensors", "taesd_encoder.safetensors", "."]) {
      await assertDrawnAs("taesd-img2img", ["--vae", join(folder, path)]);
    }
    await Deno.remove(join(folder, "taesd_encoder.safetensors"));
    const half = join(folder, "taesd_decoder.safetensors");
    await assertDrawnAs("taesd-decode", ["--vae", half]);
    const { code, errors } = await run(
      ...["generate", "a fox", ...SMALL, "--vae", half],
      ...["--image", join(CONTAINERS, "init.png"), "--output", join(folder, "x.png")],
    );
    assert.equal(code, 1);
    assert.match(
      errors,
      /Cannot build the tiny VAE encoder.*encoder\.layers\.0\.\w+ is missing/,
    );
  }));

Deno.test("openVae() takes an AutoencoderKL from its folder, its file, and a whole model's folder", () =>
  inFolder(async (folder) => {
    const vae = join(MODEL, "vae"), file = join(folder, "my.safetensors");
    await Deno.copyFile(join(vae, "diffusion_pytorch_model.safetensors"), file);
    const own = await openVae(vae, { family: "sd" });
    const named = join(vae, "diffusion_pytorch_model.safetensors");
    for (const path of [MODEL, named]) {
      const { config } = await openVae(path, { family: "sd" });
      assert.deepEqual({ ...config, path: "" }, { ...own.config, path: "" });
    }
    const { config } = await openVae(file, { family: "sdxl" });
    assert.deepEqual([config.scalingFactor, config.kind, config.factor], [0.13025, "kl", 8]);
  }));

Deno.test("--vae is in the record: a replay and a verification take it again", () =>
  inFolder(async (folder) => {
    const [first, again] = [join(folder, "a.png"), join(folder, "b.png")];
    const draw = ["generate", "a fox", ...SMALL, "--seed", "3", "--vae", TAESD];
    assert.equal((await run(...draw, "--output", first)).code, 0);
    assert.equal(await main(["generate", "--from", first, "--output", again, "--quiet"]), 0);
    await assertSame(first, again, 0);
    assert.equal(await main(["verify", first, "--quiet"]), 0);
  }));

Deno.test({
  name: "--vae refuses an autoencoder of other latents, and what is none",
  // The other parts of the folder are still being opened when one is refused.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: () =>
    inFolder(async (folder) => {
      const config = JSON.parse(await Deno.readTextFile(join(TAESD, "config.json")));
      await Deno.writeTextFile(
        join(folder, "config.json"),
        JSON.stringify({ ...config, latent_channels: 16 }),
      );
      const weights = "diffusion_pytorch_model.safetensors";
      await Deno.copyFile(join(TAESD, weights), join(folder, weights));
      const refused: [path: string, why: RegExp][] = [
        [folder, /its latents have 16 channels, the model's 4/],
        [join(MODEL, "unet", weights), /holds neither an AutoencoderKL nor a TAESD.*conv_in|named/],
        [join(folder, "nowhere"), /there is no such folder or file/],
      ];
      for (const [vae, why] of refused) {
        await assert.rejects(StableDiffusion.open(MODEL, { vae }), why);
      }
    }),
});

Deno.test("preview() decodes by the autoencoder for previews, decode() by the model's", async () => {
  await using sd = await StableDiffusion.open(MODEL, { previewVae: TAESD });
  await using plain = await StableDiffusion.open(MODEL);
  const settings = sd.settings({
    prompt: "a fox",
    seed: 1,
    width: 64,
    height: 64,
    metadata: false,
  });
  const latents = sd.startingNoise(settings);
  const [preview, own] = [await sd.preview(latents), await plain.decode(latents)];
  assert.deepEqual((await sd.decode(latents)).data, own.data);
  assert.deepEqual((await plain.preview(latents)).data, own.data);
  assert.notDeepEqual(preview.data, own.data);
  const { code, errors } = await run("generate", "a fox", ...SMALL, "--preview-vae", TAESD);
  assert.equal(code, 2);
  assert.match(errors, /--preview-vae makes previews: add --preview/);
});
