import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { cpu } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { vaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { decodeTiled } from "../../pipeline/vae_tiling.ts";
import { toFloat32 } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";

const golden = (path: string) => fileURLToPath(new URL(`../golden/${path}`, import.meta.url));
const runtime = openRuntime();

Deno.test("decodeTiled() blends its tiles as diffusers does", async () => {
  const folder = golden("reference/models/sd1/vae");
  const config = vaeConfig(JSON.parse(await Deno.readTextFile(`${folder}/config.json`)), folder);
  const weights = await openSafetensors(`${folder}/diffusion_pytorch_model.safetensors`);
  const file = await openSafetensors(golden("tiling.safetensors"));
  const latents = file.get("latents")!, expected = await toFloat32(file.get("image")!);
  const [channels, height, width] = latents.shape as [number, number, number];
  const builder = new SessionBuilder(runtime, { providers: [cpu()] });
  const picture = await decodeTiled(
    { channels, height, width, data: await toFloat32(latents) },
    { side: 8, overlap: 0.25, factor: config.factor },
    async ({ data, ...size }) => {
      using session = await builder.build(vaeDecoder(config, weights, { batch: 1, ...size }));
      using input = Tensor.from(runtime, "float32", data, [1, channels, size.height, size.width]);
      const { image } = await session.run({ latents: input });
      return image!.data as Float32Array;
    },
  );
  assert.equal(picture.length, expected.length);
  // The golden is in half precision: 2^-11 of values up to about 4.
  const worst = picture.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - expected[i]!)),
    0,
  );
  assert.ok(worst < 2e-3, `worst ${worst}`);
});

Deno.test("decodeTiled() gives a constant picture for a constant decoder, at any size", async () => {
  for (const [width, height] of [[5, 5], [8, 3], [9, 17], [30, 21]] as const) {
    const data = new Float32Array(4 * width * height);
    const picture = await decodeTiled(
      { channels: 4, width, height, data },
      { side: 8, overlap: 0.25, factor: 2 },
      (part) => Promise.resolve(new Float32Array(3 * part.width * part.height * 4).fill(0.5)),
    );
    assert.equal(picture.length, 3 * width * height * 4);
    assert.ok(picture.every((value) => value === 0.5), `${width} x ${height}`);
  }
});
