/** Graphs for kernels of GPUs: what they compute, and what they are made of. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FAMILIES } from "../../bench/sd_families.ts";
import { OrtError } from "../../ffi/errors.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { forGpu } from "../../graph/for_gpu.ts";
import { toOnnx } from "../../graph/onnx_write.ts";
import { lowering, reachable, type Value } from "../../graph/mod.ts";
import { expanded } from "../../graph/rewrite.ts";
import type { GraphModel } from "../../models/graph_model.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { vaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { openComponent } from "../../weights/open_weights.ts";
import { fileOf, namesOf } from "../models/checkpoint_file.ts";
import { golden } from "../models/golden.ts";
import { assertGolden, runCase } from "../models/run_golden.ts";

const runtime = openRuntime();

/** The graph with the kernels of GPUs. */
function forms(make: () => GraphModel): GraphModel {
  const model = lowering("gpu", make);
  return { ...model, outputs: forGpu(model.outputs) };
}

/** How many nodes there are of each type. */
function counts(outputs: Readonly<Record<string, Value>>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { op } of reachable(Object.values(outputs))) {
    found[op.type] = (found[op.type] ?? 0) + 1;
  }
  return found;
}

for (const name of ["unet_sd1", "unet_sd2", "unet_sdxl", "unet_digits", "unet_small"]) {
  Deno.test(`${name} for GPUs, expanded, computes what diffusers does`, async () => {
    const it = await golden(name), size = name === "unet_small" ? "7x8" : "8x8";
    const [height, width] = size.split("x").map(Number) as [number, number];
    const config = unetConfig(it.json, it.path);
    const model = forms(() => unet(config, it.weights, { batch: 2, height, width, sequence: 5 }));
    assert.ok((counts(model.outputs).SkipGroupNorm ?? 0) > 5);
    const outputs = await runCase({ ...model, outputs: expanded(model.outputs) }, it, size);
    await assertGolden(outputs.noise_prediction, it, `${size}/noise_prediction`);
  });
}

Deno.test("the autoencoder for GPUs, expanded, computes what diffusers does", async () => {
  const it = await golden("vae_sd");
  const config = vaeConfig(it.json, it.path);
  const model = forms(() => vaeDecoder(config, it.weights, { batch: 2, height: 4, width: 4 }));
  assert.ok((counts(model.outputs).SkipGroupNorm ?? 0) > 0);
  const outputs = await runCase({ ...model, outputs: expanded(model.outputs) }, it, "4x4");
  await assertGolden(outputs.image, it, "4x4/decoded");
});

/** Nodes that the full-size networks become. */
const EXPECTED = {
  // 22 residual blocks with two norms each, 16 transformers with one, one at the end.
  sd15: { norms: 22 * 2 + 16 + 1, plainLayerNorms: 16, blocks: 16 },
  sdxl: { norms: 17 * 2 + 11 + 1, plainLayerNorms: 11, blocks: 70 },
} as const;

for (const [family, { norms, plainLayerNorms, blocks }] of Object.entries(EXPECTED)) {
  Deno.test(`the whole ${family} has a kernel for every norm, bias and gate`, async () => {
    const name = family as keyof typeof EXPECTED;
    const config = unetConfig({ ...FAMILIES[name].unet }, "config.json");
    const source = fileOf((await namesOf(name)).unet);
    const shape = { batch: 2, height: 64, width: 64, sequence: 77 };
    const model = forms(() => unet(config, source, shape, { dtype: "float16" }));
    const of = counts(model.outputs), count = (type: string) => of[type] ?? 0;
    assert.equal(count("GroupNorm") + count("SkipGroupNorm"), norms);
    // Every second norm of a residual block sees the timestep; what is concatenated is no sum.
    assert.ok(count("SkipGroupNorm") > norms / 2, `${count("SkipGroupNorm")} of ${norms}`);
    assert.equal(count("SkipLayerNormalization"), 3 * blocks - plainLayerNorms);
    assert.equal(count("LayerNormalization"), plainLayerNorms);
    assert.equal(count("BiasSplitGelu"), blocks);
    assert.equal(count("BiasAdd"), plainLayerNorms);
    assert.equal(count("MultiHeadAttention"), 2 * blocks);
    for (const type of ["InstanceNormalization", "GroupNormalization", "Gelu", "Split"]) {
      assert.equal(count(type), 0, type);
    }
    // Norms are in float32 in the graph, and only their small weights: converted when it is loaded.
    assert.ok(count("Cast") <= 2 * norms + 8, `${count("Cast")} conversions`);
  });
}

Deno.test("ONNX Runtime takes a whole U-Net in half precision, weights from the file, but for kernels", async () => {
  const folder = join(import.meta.dirname!, "../golden/reference/models/sd1-fp16/unet");
  const json = JSON.parse(await Deno.readTextFile(join(folder, "config.json")));
  const config = unetConfig(json, folder),
    source = await openComponent(folder, { variant: "fp16" });
  const shape = { batch: 2, height: 8, width: 8, sequence: 77 };
  const model = forms(() => unet(config, source, shape, { dtype: "float16" }));
  const { bytes, initializers, externalRoot } = toOnnx(model);
  assert.deepEqual(initializers, [], "nothing is converted on the way");
  const refused = (error: unknown) =>
    error instanceof OrtError && error.code === "NOT_IMPLEMENTED" &&
    /GroupNorm|BiasSplitGelu|BiasAdd/.test(error.message);
  assert.throws(() =>
    runtime.createSession(bytes, {
      logLevel: "fatal",
      optimization: "disabled",
      config: { "session.model_external_initializers_file_folder_path": externalRoot! },
    }), refused);
});
