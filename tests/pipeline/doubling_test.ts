/** Where a picture is doubled in phases, and what that computes in fewer bits. */

import assert from "node:assert/strict";
import { lowering } from "../../graph/lowering.ts";
import { reachable } from "../../graph/reachable.ts";
import { decoderGraph } from "../../models/autoencoder_graphs.ts";
import type { GraphModel, ModelOptions } from "../../models/graph_model.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { quantizedWeights } from "../../pipeline/quantized_weights.ts";
import { isDoubling } from "../../weights/doubled_kernels.ts";

/** How many nodes enlarge, and how many convolve with 2x2 kernels. */
function counts({ outputs }: GraphModel): [resized: number, phases: number] {
  const nodes = reachable(Object.values(outputs));
  return [
    nodes.filter(({ op }) => op.type === "Resize").length,
    nodes.filter(({ op, inputs }) => op.type === "Conv" && inputs[1]?.shape[2] === 2).length,
  ];
}

Deno.test("the decoder doubles pictures in phases, where it is the processor's own graph", async () => {
  const { vae: { config, weights } } = await openModel(undefined);
  const build = (options: ModelOptions = {}, height = 16) =>
    decoderGraph(config, weights, { batch: 1, height, width: 16 }, options);
  assert.deepEqual(counts(build()), [0, 8]);
  assert.deepEqual(counts(build({}, 8)), [1, 4], "32 x 16 pixels are few");
  assert.deepEqual(counts(lowering("standard", build)), [2, 0]);
  assert.deepEqual(counts(lowering("gpu", build)), [2, 0]);
  assert.deepEqual(counts(build({ dtype: "float16" })), [2, 0]);
  assert.deepEqual(counts(build({ parameter: (name) => name.endsWith("weight") })), [2, 0]);
  const symbol = decoderGraph(config, weights, { batch: "n", height: 16, width: 16 });
  assert.deepEqual(counts(symbol), [2, 0]);
});

Deno.test("weights in fewer bits have the phases' kernels beside the whole ones", async () => {
  const { vae: { weights } } = await openModel(undefined);
  const name = "decoder.up_blocks.0.upsamplers.0.conv.weight", { shape } = weights.get(name)!;
  assert.ok(isDoubling(name, shape));
  const options = { bits: 8, limit: 127, folder: undefined } as const;
  const derived = await quantizedWeights("vae_decoder", weights, options);
  const stem = name.replace(/weight$/, "");
  assert.deepEqual(derived.get(`${stem}phase_01.weight.int8`)!.shape, [4 * shape[1]!, shape[0]]);
  assert.deepEqual(derived.get(`${stem}weight.int8`)!.shape, [9 * shape[1]!, shape[0]]);
});

Deno.test("kernels of more than 32 MB stay as they are", () => {
  assert.ok(isDoubling("up_blocks.2.upsamplers.0.conv.weight", [640, 640, 3, 3]));
  assert.ok(!isDoubling("up_blocks.1.upsamplers.0.conv.weight", [1280, 1280, 3, 3]));
  assert.ok(!isDoubling("up_blocks.2.resnets.0.conv1.weight", [640, 640, 3, 3]));
});
