/**
 * The U-Net alone, told one prompt.
 *
 * @module
 */

import { unet } from "../models/unet.ts";
import type { LatentSize } from "../pipeline/autoencoder.ts";
import { Computation } from "../training/computation.ts";
import type { Laboratory } from "./topic.ts";

/** Owns native memory: dispose it. */
export class Denoiser implements Disposable {
  private constructor(
    readonly computation: Computation<"said">,
    readonly states: Float32Array<ArrayBuffer>,
  ) {}

  /** Encodes the prompt and builds the U-Net for latents of this size. */
  static async open(
    { sd, parts, builder }: Laboratory,
    { height, width }: LatentSize,
    prompt: string,
  ): Promise<Denoiser> {
    const { hiddenStates, tokens } = await sd.encode(prompt, { promptSyntax: "plain" });
    const { config, weights } = parts.unet;
    const model = unet(config, weights, { batch: 1, height, width, sequence: tokens });
    const computation = await Computation.build(builder, { said: model.outputs.noise_prediction! });
    return new Denoiser(computation, Float32Array.from(hiddenStates));
  }

  /** What it says of latents at a timestep: as it was trained, mostly the noise. */
  async predict(x: Float32Array, timestep: number): Promise<Float32Array> {
    return (await this.computation.run({
      sample: Float32Array.from(x),
      timestep: Float32Array.of(timestep),
      encoder_hidden_states: this.states,
    })).said;
  }

  /** Releases the session. */
  [Symbol.dispose](): void {
    this.computation[Symbol.dispose]();
  }
}
