/** The autoencoder's training: on pieces of pictures first, where a step costs a quarter. */
import type { Value } from "../../graph/value.ts";
import type { VaeConfig } from "../../models/vae_config.ts";
import { vaeEncoder } from "../../models/vae_encoder.ts";
import type { Network } from "../../pipeline/model_parts.ts";
import type { SessionBuilder } from "../../pipeline/session_builder.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { Computation } from "../computation.ts";
import { derivedSeed } from "../derived_seed.ts";
import { adamw } from "../optimizers.ts";
import { Trainer } from "../trainer.ts";
import { trainingStep } from "../training_step.ts";
import type { TrainingEvent } from "../training_run.ts";
import { autoencoderBatch, autoencoderGraph } from "./autoencoder_graph.ts";
import { draw, drawTraits, SIDE } from "./drawing.ts";
import type { StageOptions } from "./pair_stage.ts";
import { flatThenCosine, trainStage } from "./stage.ts";
import { type Values, valuesOf, type Workspace } from "./workspace.ts";

/** Which pictures, and how fast. */
const PHASES = {
  pieces: { side: 32, rate: 2e-3, flat: 0.4, encoderLocked: false },
  whole: { side: SIDE, rate: 1e-3, flat: 0, encoderLocked: false },
  decoder: { side: SIDE, rate: 1e-3, flat: 0, encoderLocked: true },
} as const;

/**
 * Trains on pieces of 32 pixels or on whole pictures, and writes the autoencoder into the model.
 * After whole pictures its latents are made to have mean 0 and deviation 1 in every channel. The
 * decoder alone can learn on after that, also when the U-Net has learned those latents.
 */
export async function* trainAutoencoder(
  workspace: Workspace,
  options: StageOptions & { readonly phase: keyof typeof PHASES },
): AsyncGenerator<TrainingEvent, void, void> {
  const { builder, steps, batch, saveEvery, signal, phase } = options;
  const { side, rate, flat, encoderLocked } = PHASES[phase], { seed } = workspace;
  const vae = await workspace.autoencoder(), fields = await workspace.fields();
  const { loss, parameters } = autoencoderGraph(vae, { batch, side, encoderLocked });
  const step = trainingStep({
    parameters,
    loss,
    optimizer: adamw({ betas: [0.9, 0.99], weightDecay: 1e-3 }),
    clipNorm: 1,
  });
  using trainer = await Trainer.create(builder, step, await valuesOf(vae.weights));
  const shape = { batch, side };
  yield* trainStage({
    identity: JSON.stringify({ stage: phase, seed, batch }),
    trainer,
    steps,
    rate: flatThenCosine(rate, steps, flat),
    batch: (step) => autoencoderBatch(fields, shape, derivedSeed(seed, 0, phase), step),
    path: workspace.checkpoint(phase),
    saveEvery,
    signal,
    write: () => workspace.write("vae", trainer.byParameter("parameter")),
  });
  if (phase !== "whole") return;
  const values = trainer.byParameter("parameter");
  await workspace.write("vae", await evenLatents(workspace, builder, values));
  await workspace.configure("vae/config.json", { scaling_factor: 1 });
}

/**
 * The same autoencoder with other numbers in its two 1x1 convolutions: every channel of its latents
 * has mean 0 and deviation 1 over drawn pictures.
 */
async function evenLatents(
  workspace: Workspace,
  builder: SessionBuilder,
  values: Values,
): Promise<Values> {
  const vae = await workspace.autoencoder(), count = 256;
  const fields = await workspace.fields();
  const random = new TorchCpuGenerator(derivedSeed(workspace.seed, 0, "even latents"));
  const { pictures } = draw(fields, drawTraits(fields, count, random), random);
  using encoder = await pictureEncoder(vae, builder);
  const { mean } = await encoder.encode(pictures);
  const channels = vae.config.latentChannels, plane = mean.length / count / channels;
  const moments = Array.from({ length: channels }, (_, c) => {
    let sum = 0, squares = 0;
    for (let at = 0; at < mean.length; at++) {
      if (Math.floor(at / plane) % channels !== c) continue;
      sum += mean[at]!;
      squares += mean[at]! ** 2;
    }
    const middle = sum / (count * plane);
    return { middle, deviation: Math.sqrt(squares / (count * plane) - middle ** 2) };
  });
  return rescaled(values, moments);
}

function rescaled(
  values: Values,
  moments: readonly { readonly middle: number; readonly deviation: number }[],
): Values {
  const channels = moments.length, copy = (name: string) => values.get(name)!.slice();
  const outer = copy("quant_conv.weight"), outerBias = copy("quant_conv.bias");
  const inner = copy("post_quant_conv.weight"), innerBias = copy("post_quant_conv.bias");
  moments.forEach(({ middle, deviation }, c) => {
    for (let k = 0; k < 2 * channels; k++) outer[c * 2 * channels + k]! /= deviation;
    outerBias[c] = (outerBias[c]! - middle) / deviation;
    outerBias[channels + c]! -= 2 * Math.log(deviation);
    for (let row = 0; row < channels; row++) {
      innerBias[row]! += inner[row * channels + c]! * middle;
      inner[row * channels + c]! *= deviation;
    }
  });
  return new Map([
    ...values,
    ["quant_conv.weight", outer],
    ["quant_conv.bias", outerBias],
    ["post_quant_conv.weight", inner],
    ["post_quant_conv.bias", innerBias],
  ]);
}

/** Encodes pictures, 64 at once. */
export interface PictureEncoder extends Disposable {
  /** The posteriors of pictures [n, 3, 64, 64], `n` a multiple of 64. */
  encode(pictures: Float32Array): Promise<Moments>;
}

interface Moments {
  readonly mean: Float32Array;
  readonly logvar: Float32Array;
}

/** An autoencoder's first half, ready to run. */
export async function pictureEncoder(
  { config, weights }: Network<VaeConfig>,
  builder: SessionBuilder,
): Promise<PictureEncoder> {
  const batch = 64, side = SIDE / config.factor;
  const { outputs } = vaeEncoder(config, weights, { batch, height: side, width: side });
  const { mean, logvar } = outputs as Record<keyof Moments, Value>;
  const computation = await Computation.build(builder, { mean, logvar });
  const size = batch * 3 * SIDE * SIDE, each = batch * config.latentChannels * side * side;
  return {
    async encode(pictures) {
      const count = pictures.length / size;
      const all = { mean: new Float32Array(count * each), logvar: new Float32Array(count * each) };
      for (let i = 0; i < count; i++) {
        const some = await computation.run({ image: pictures.subarray(i * size, (i + 1) * size) });
        all.mean.set(some.mean, i * each);
        all.logvar.set(some.logvar, i * each);
      }
      return all;
    },
    [Symbol.dispose]: () => computation[Symbol.dispose](),
  };
}
