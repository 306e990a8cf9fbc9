import { strict as assert } from "node:assert";
import { FAMILIES } from "../../bench/sd_families.ts";
import { clipShapes, type NamedShape, unetShapes, vaeShapes } from "../../bench/sd_shapes.ts";
import { clipTextConfig } from "../../models/clip_config.ts";
import { clipTextModel } from "../../models/clip_text.ts";
import type { GraphModel } from "../../models/graph_model.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { vaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { vaeEncoder } from "../../models/vae_encoder.ts";
import { tensorByteLength, type TensorSource, tensorSource } from "../../weights/stored_tensor.ts";

/** Tensors that say where they are in a file that nobody opens. */
function described(shapes: Iterable<NamedShape>): TensorSource {
  return tensorSource(
    "described",
    Array.from(shapes, ([name, shape]) => ({
      name,
      dtype: "F32",
      shape,
      location: { file: "/described", offset: 0, byteLength: tensorByteLength("F32", shape) },
    })),
  );
}

const shapesOf = ({ outputs }: GraphModel) =>
  Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, [...shape]]));

for (const name of ["sd15", "sd21", "sdxl"] as const) {
  Deno.test(`models/ builds full-size ${name} from its config and uses every tensor`, () => {
    const family = FAMILIES[name], latents = { batch: 2, height: 64, width: 48 };
    const config = unetConfig({ ...family.unet }, "unet/config.json");
    const denoiser = unet(config, described(unetShapes(family.unet)), { ...latents, sequence: 77 });
    assert.deepEqual(denoiser.unexpected, []);
    assert.deepEqual(shapesOf(denoiser), { noise_prediction: [2, 4, 64, 48] });

    const vae = described(vaeShapes(family.vae));
    const vaeSettings = vaeConfig({ ...family.vae }, "vae/config.json");
    const decoder = vaeDecoder(vaeSettings, vae, latents);
    assert.deepEqual(shapesOf(decoder), { image: [2, 3, 512, 384] });
    assert.deepEqual(decoder.unexpected, []);
    const encoder = vaeEncoder(vaeSettings, vae, latents);
    assert.deepEqual(shapesOf(encoder)["mean"], [2, 4, 64, 48]);
    assert.deepEqual(encoder.unexpected, []);

    for (const text of family.textEncoders) {
      const weights = described(clipShapes(text.config, text));
      const settings = clipTextConfig({ ...text.config }, "text_encoder/config.json");
      const model = clipTextModel(settings, weights, { batch: 2, sequence: 77 }, {
        hiddenState: -1,
        finalLayerNorm: true,
        pooled: true,
      });
      assert.deepEqual(model.unexpected, []);
      assert.deepEqual(shapesOf(model)["hidden_states"], [2, 77, text.config.hidden_size]);
    }
  });
}
