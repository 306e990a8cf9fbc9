import assert from "node:assert/strict";
import { join } from "node:path";
import { cpu, cuda } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import {
  castAfter,
  initializer,
  input,
  leaves,
  matMul,
  reachable,
  toOnnx,
  type Value,
} from "../../graph/mod.ts";
import { weightBehind } from "../../graph/weight_views.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { denoiserGraph } from "../../training/denoiser_graph.ts";
import { LoraAdapters } from "../../training/lora_adapters.ts";
import { sgd } from "../../training/optimizers.ts";
import { networkOptions, runSettings } from "../../training/run_options.ts";
import { givenText } from "../../training/text_graph.ts";
import { Trainer } from "../../training/trainer.ts";
import { trainingStep } from "../../training/training_step.ts";
import { runGraph } from "../graph/run_graph.ts";
import { assertClose } from "./close.ts";
import { inFolder } from "./run.ts";
import { tinyModels } from "./tiny_models.ts";

const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads: 1 });

Deno.test("castAfter gives the weight, whatever the tensor is that it waits for", () => {
  const data = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3800, 0).buffer);
  const weight = initializer("w", "float16", [2, 2], { data });
  const x = input("x", "float32", [3]);
  const late = castAfter(weight, x, "float32");
  assert.equal(weightBehind(late), undefined);
  for (const first of [NaN, Infinity, -1e30, 3.7]) {
    const data = Float32Array.of(first, 1, 2);
    assert.deepEqual(runGraph({ late }, [[x, { data, shape: [3] }]]).late!.data, [1, -2, 0.5, 0]);
  }
});

Deno.test("castAfter's weights are converted one by one, when their turn comes", async () => {
  await inFolder(async (folder) => {
    const x = input("x", "float32", [1, 8]);
    const data = new Uint8Array(Uint16Array.from({ length: 64 }, () => 0x2c00).buffer);
    const weight = (i: number) => initializer(`w${i}`, "float16", [8, 8], { data });
    const y = [0, 1, 2, 3].reduce(
      (h, i) => matMul(h, castAfter(weight(i), h, "float32")),
      x as Value,
    );
    const runtime = openRuntime(), { bytes } = toOnnx({ inputs: [x], outputs: { y } });
    using session = runtime.createSession(bytes, { profile: join(folder, "order") });
    using fed = Tensor.from(runtime, "float32", new Float32Array(8).fill(1), [1, 8]);
    for (const result of Object.values(session.runSync({ x: fed }))) result.dispose();
    const trace = JSON.parse(await Deno.readTextFile(session.endProfiling()));
    const order = (trace as { name: string; args?: { op_name?: string; output_size?: string } }[])
      .filter(({ name }) => name.endsWith("_kernel_time"))
      .flatMap(({ args }) =>
        args?.op_name === "MatMul" || (args?.op_name === "Cast" && args.output_size === "256")
          ? [args.op_name]
          : []
      );
    assert.deepEqual(order, [0, 1, 2, 3].flatMap(() => ["Cast", "MatMul"]));
  });
});

/** Two steps of a LoRA with checkpointing: losses, what was learned, and the graph's weights. */
async function learn(model: string, lateWeights: boolean) {
  const parts = await openModel(model, { variant: "fp16" }),
    shape = { batch: 1, height: 8, width: 8 };
  const lora = new LoraAdapters({ rank: 2, alpha: 2, targets: "attention", seed: 0 });
  const options = { lateWeights, adapt: lora.adapt("unet") };
  const graph = denoiserGraph(parts, shape, givenText(parts, shape), options);
  const how = { optimizer: sgd(), checkpointing: true };
  const step = trainingStep({ parameters: lora.parameters, loss: graph.loss, ...how });
  using trainer = await Trainer.create(builder, step, lora.initial());
  const wave = (size: number, pace: number) =>
    new Float32Array(size).map((_, i) => Math.sin(pace * i));
  const batch = {
    latents: wave(256, 0.3),
    noise: wave(256, 1.7),
    timestep: Float32Array.of(300),
    signal: Float32Array.of(0.8),
    sigma: Float32Array.of(0.6),
    weight: Float32Array.of(1),
    hidden_states: wave(77 * 32, 0.9),
  };
  const losses = [];
  for (let i = 0; i < 2; i++) losses.push((await trainer.step(batch, 10)).loss);
  const learned = [...trainer.byParameter("parameter").values()].flatMap((part) => [...part]);
  const weights = leaves(reachable(step.state.map(({ next }) => next)))
    .filter(({ node }) => node.kind === "initializer" && "file" in node.source);
  return { losses, learned, weights };
}

Deno.test("weights of layers stay float16 in their file, and a step learns the same", async () => {
  await inFolder(async (folder) => {
    const { sd } = await tinyModels(folder, "fp16");
    const early = await learn(sd, false), late = await learn(sd, true);
    assert.notEqual(early.losses[0], early.losses[1]);
    // Kernels for weights that are constant sum in another order.
    assertClose(late.losses, early.losses, 1e-6, "losses");
    assertClose(late.learned, early.learned, 1e-5, "what was learned");
    assert.ok(early.weights.every(({ dtype }) => dtype === "float32"));
    const large = late.weights.filter(({ shape }) => shape.length > 1);
    assert.ok(large.length > 50, `${large.length}`);
    for (const { dtype, node } of large) {
      const { source } = node as Extract<typeof node, { kind: "initializer" }>;
      assert.deepEqual([dtype, "storedAs" in source], ["float16", false]);
    }
  });
});

Deno.test("weights are converted late with checkpointing, on the processor", () => {
  const run = { images: "", output: "" };
  const late = (options: object) => networkOptions(runSettings({ ...run, ...options })).lateWeights;
  assert.equal(late({}), false);
  assert.equal(late({ checkpointing: true }), true);
  assert.equal(late({ checkpointing: true, providers: [cuda(), cpu()] }), false);
});
