/**
 * A U-Net laid open before one noisy picture: its attention, and its shortcuts.
 *
 * @module
 */

import { reachable } from "../graph/reachable.ts";
import type { Value } from "../graph/value.ts";
import { crossAttentionMaps } from "../models/attention_maps.ts";
import { unet } from "../models/unet.ts";
import type { Latents } from "../pipeline/autoencoder.ts";
import { fromAlphaCumprod, sigma } from "../schedulers/level.ts";
import { toDenoised } from "../schedulers/prediction.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Computation, type Feeds } from "../training/computation.ts";
import { noiseSettings } from "../training/denoiser_graph.ts";
import { inputName } from "../training/training_step.ts";
import { elementCount } from "../weights/stored_tensor.ts";
import type { Laboratory } from "./topic.ts";

/** What the U-Net did when it was asked. */
export interface Insight {
  /** Its prediction. */
  readonly said: Float32Array;
  /** What each shortcut carried, the finest first. */
  readonly skips: readonly Float32Array[];
  /** For each cross-attention layer, how much each place looks at each token: [tokens, places]. */
  readonly maps: readonly Float32Array[];
}

/** The middle of the noise table, where a picture is half decided. */
const PART = 0.5;

/** Owns native memory: dispose it. */
export class InsideUNet implements Disposable {
  private constructor(
    readonly computation: Computation,
    readonly skips: readonly Value[],
    readonly layers: readonly string[],
    readonly feeds: Feeds & { readonly sample: Float32Array },
    readonly denoised: { readonly sample: number; readonly output: number },
    /** The noise level at which it is asked. */
    readonly sigma: number,
  ) {}

  /** Mixes noise into `clean` and builds the U-Net for it, told the laboratory's prompt. */
  static async open(
    { sd, parts, builder, prompt, seed }: Laboratory,
    clean: Latents,
  ): Promise<InsideUNet> {
    const { hiddenStates, tokens } = await sd.encode(prompt), { height, width } = clean;
    const shape = { batch: 1, height, width, sequence: tokens };
    // Its inputs for ControlNets are added to the shortcuts: minus what one carries cuts it.
    const model = unet(parts.unet.config, parts.unet.weights, shape, { controlResiduals: true });
    const maps = crossAttentionMaps(model, { height, width });
    const skips = reachable(Object.values(model.outputs))
      .filter(({ op, scope }) => op.type === "Concat" && /^up_blocks\.\d+$/.test(scope))
      .map(({ inputs }) => inputs[1]!).reverse();
    const outputs: Record<string, Value> = { said: model.outputs.noise_prediction! };
    skips.forEach((skip, i) => outputs[`skip ${i}`] = skip);
    for (const [layer, map] of Object.entries(maps)) outputs[`map ${layer}`] = map;
    const computation = await Computation.build(builder, outputs);

    const { table, prediction } = noiseSettings(parts);
    const timestep = Math.round(PART * (table.alphasCumprod.length - 1));
    const level = fromAlphaCumprod(timestep, table.alphasCumprod[timestep]!);
    const noise = new TorchCpuGenerator(seed).normal(clean.data.length);
    const feeds = {
      ...Object.fromEntries(computation.inputs.map((v) => [inputName(v), zerosLike(v)])),
      sample: clean.data.map((v, i) => level.signal * v + level.noise * noise[i]!),
      timestep: Float32Array.of(timestep),
      encoder_hidden_states: hiddenStates,
    };
    const denoised = toDenoised(prediction, level);
    return new InsideUNet(computation, skips, Object.keys(maps), feeds, denoised, sigma(level));
  }

  /** Asks, with some inputs other than they are. */
  async ask(changed: Feeds): Promise<Insight> {
    const result = await this.computation.run({ ...this.feeds, ...changed });
    return {
      said: result.said!,
      skips: this.skips.map((_, i) => result[`skip ${i}`]!),
      maps: this.layers.map((layer) => result[`map ${layer}`]!),
    };
  }

  /** The clean latents by a prediction. */
  believed(said: Float32Array): Float32Array {
    const { sample, output } = this.denoised;
    return this.feeds.sample.map((v, i) => sample * v + output * said[i]!);
  }

  /** Releases the session. */
  [Symbol.dispose](): void {
    this.computation[Symbol.dispose]();
  }
}

function zerosLike({ shape }: Value): Float32Array {
  return new Float32Array(elementCount(shape as number[]));
}
