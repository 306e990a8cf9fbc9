import assert from "node:assert/strict";
import { join } from "node:path";
import { cpu } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { cast, input, mul, reduceSum } from "../../graph/mod.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { batchOf } from "../../training/batches.ts";
import { checkpointPath } from "../../training/checkpoint.ts";
import { denoiserGraph, noiseSettings } from "../../training/denoiser_graph.ts";
import { LoraAdapters } from "../../training/lora_adapters.ts";
import { type TrainingEvent, trainLora } from "../../training/mod.ts";
import { adamw, sgd } from "../../training/optimizers.ts";
import { givenText } from "../../training/text_graph.ts";
import { DivergedError, Trainer } from "../../training/trainer.ts";
import { trainingStep } from "../../training/training_step.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { toFloat32 } from "../../weights/read.ts";
import { assertClose } from "./close.ts";
import { finished, inFolder, pictures } from "./run.ts";
import { tinyModels } from "./tiny_models.ts";

const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads: 1 });

/** Six steps of a LoRA of a tiny U-Net: losses, what was learned, steps repeated. */
async function learn(
  model: string,
  dtype: "float32" | "float16",
  options: { checkpointing?: boolean; lossScale?: number } = {},
) {
  const parts = await openModel(model), shape = { batch: 2, height: 8, width: 8 };
  const lora = new LoraAdapters({ rank: 2, alpha: 2, targets: "all", seed: 0 });
  const text = givenText(parts, shape);
  const graph = denoiserGraph(parts, shape, text, { dtype, adapt: lora.adapt("unet") });
  const { checkpointing } = options, lossScaling = dtype === "float16";
  const how = { optimizer: adamw(), clipNorm: 1, checkpointing, lossScaling };
  const step = trainingStep({ parameters: lora.parameters, loss: graph.loss, ...how });
  using trainer = await Trainer.create(builder, step, lora.initial(), options.lossScale);
  const states = new Float32Array(77 * 32).map((_, i) => Math.sin(i));
  const example = (seed: number) => {
    const latents = new Float32Array(4 * 64).map((_, i) => Math.cos(i * seed));
    return { latents, prompts: [""], weight: 1 };
  };
  const source = {
    groups: [[example(0.3), example(0.7)]],
    batch: 2,
    seed: 0,
    noise: noiseSettings(parts),
    prompts: (prompts: readonly string[]) => ({
      hidden_states: Float32Array.from(prompts.flatMap(() => [...states])),
    }),
  };
  const losses: number[] = [], norms: number[] = [];
  let overflows = 0;
  for (let i = 0; i < 6; i++) {
    const result = await trainer.step(batchOf(source, i), 1e-3);
    losses.push(result.loss);
    norms.push(result.norm);
    overflows += result.overflows ?? 0;
  }
  const learned = [...trainer.byParameter("parameter").values()].flatMap((part) => [...part]);
  return { losses, norms, learned, overflows };
}

Deno.test("a U-Net in float16 has float32's losses and gradients, with checkpointing too", async () => {
  await inFolder(async (folder) => {
    const { sd } = await tinyModels(folder);
    const exact = await learn(sd, "float32");
    for (const checkpointing of [false, true]) {
      const half = await learn(sd, "float16", { checkpointing });
      assertClose(half.losses, exact.losses, 5e-3, "losses");
      assert.notDeepEqual(half.losses, exact.losses, "it must have been computed in float16");
      half.norms.forEach((norm, i) =>
        assert.ok(Math.abs(norm / exact.norms[i]! - 1) < 0.02, `step ${i}: ${norm}`)
      );
    }
  });
});

Deno.test("a step that overflows is repeated at half the scale, and changes nothing before", async () => {
  await inFolder(async (folder) => {
    const { sd } = await tinyModels(folder);
    const usual = await learn(sd, "float16", { lossScale: 2 ** 10 });
    assert.equal(usual.overflows, 0);
    const high = await learn(sd, "float16", { lossScale: 2 ** 40 });
    assert.ok(high.overflows > 10, `${high.overflows}`);
    assertClose(high.losses, usual.losses, 2e-3, "losses");
  });
});

/** The step of `p` whose gradient is `slope`, which goes through float16; p begins at 1. */
async function throughHalf(lossScaling: boolean, lossScale?: number): Promise<Trainer> {
  const p = input("p", "float32", [1]), slope = input("slope", "float32", [1]);
  const loss = reduceSum(mul(cast(cast(p, "float16"), "float32"), slope));
  const step = trainingStep({ parameters: [p], loss, optimizer: sgd(), lossScaling });
  return await Trainer.create(builder, step, new Map([["p", Float32Array.of(1)]]), lossScale);
}

Deno.test("gradients below float16's smallest number need the scale, which divides out", async () => {
  const slope = Float32Array.of(2 ** -26);
  for (const lossScaling of [false, true]) {
    using trainer = await throughHalf(lossScaling);
    await trainer.step({ slope }, 2 ** 26);
    assert.equal(trainer.state.get("p")![0], lossScaling ? 0 : 1);
  }
});

Deno.test("a gradient too long for any scale ends the run and keeps the state", async () => {
  using trainer = await throughHalf(true);
  const failing = trainer.step({ slope: Float32Array.of(1e6) }, 1);
  await assert.rejects(failing, (error) => error instanceof DivergedError && error.step === 0);
  assert.equal(trainer.steps, 0);
  assert.equal(trainer.state.get("p")![0], 1);
});

Deno.test("the scale doubles after 2000 good steps", async () => {
  using trainer = await throughHalf(true, 8);
  const scales: (number | undefined)[] = [];
  for (let i = 0; i < 2001; i++) {
    scales.push((await trainer.step({ slope: Float32Array.of(0) }, 1)).lossScale);
  }
  assert.deepEqual([scales[0], scales[1999], scales[2000]], [8, 8, 16]);
});

Deno.test("trainLora in fp16: resumed, it ends as the run in one go; its checkpoint holds the scale", async () => {
  await inFolder(async (folder) => {
    const { sd } = await tinyModels(folder);
    const common = { model: sd, images: pictures("teal"), token: "teal", rank: 2, rate: 1e-2 };
    const half = { ...common, mixedPrecision: "fp16", saveEvery: 2 } as const;
    const whole = join(folder, "whole.safetensors"), cut = join(folder, "cut.safetensors");
    await finished(trainLora({ ...half, output: whole, steps: 4 }));
    await finished(trainLora({ ...half, output: cut, steps: 2 }));
    const [, steps] = await toFloat32(
      (await openSafetensors(checkpointPath(cut))).get("loss_scale")!,
    );
    assert.equal(steps, 2);
    const scales: (number | undefined)[] = [];
    const events: AsyncIterable<TrainingEvent> = trainLora({
      ...half,
      output: cut,
      steps: 4,
      resume: true,
    });
    for await (const event of events) if (event.kind === "update") scales.push(event.lossScale);
    assert.equal(scales.length, 2);
    assert.ok(scales[0]! >= 1);
    assert.deepEqual(await Deno.readFile(cut), await Deno.readFile(whole));
    await assert.rejects(
      () => finished(trainLora({ ...common, output: cut, steps: 5, resume: true })),
      /other options; got mixedPrecision "fp16"/,
    );
    await assert.rejects(
      () => finished(trainLora({ ...common, output: cut, mixedPrecision: "bf16" as "no" })),
      /Cannot train in bf16: expected one of no, fp16/,
    );
  });
});
