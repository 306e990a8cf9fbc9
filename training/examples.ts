/** What is learned from, in the form in which the U-Net sees it; made once, kept in memory. */
import { Autoencoder } from "../pipeline/autoencoder.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { TextConditioner } from "../pipeline/text_conditioning.ts";
import type { Image } from "../pipeline/image.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { derivedSeed } from "./derived_seed.ts";

/** One picture with its prompts. */
export interface Example {
  /** Latents [channels, height, width], scaled as the U-Net has them. */
  readonly latents: Float32Array;
  /** Prompts that may go with it, one drawn at a time. */
  readonly prompts: readonly string[];
  /** Its weight in the loss. */
  readonly weight: number;
}

/** A prompt as the text encoders say it, for training that leaves them alone. */
export interface PromptStates {
  /** [tokens, width] */
  readonly hidden: Float32Array;
  /** SDXL: [P]. */
  readonly pooled: Float32Array | undefined;
}

/** The latents of pictures: one draw of the autoencoder's posterior each, from the seed. */
export async function encodePictures(
  parts: ModelParts,
  builder: SessionBuilder,
  images: readonly Image[],
  { seed, signal }: { seed: number; signal?: AbortSignal | undefined },
): Promise<Float32Array[]> {
  using autoencoder = new Autoencoder(parts, builder);
  const { factor, latentChannels: channels } = parts.vae.config;
  const latents: Float32Array[] = [];
  for (const [i, image] of images.entries()) {
    const size = { channels, height: image.height / factor, width: image.width / factor };
    const draw = () =>
      new TorchCpuGenerator(derivedSeed(seed, i, "latents"))
        .normal(channels * size.height * size.width);
    latents.push(await autoencoder.encode(image.toTensor(), size, draw, signal));
  }
  return latents;
}

/** The states of every prompt of the examples, by its text. */
export async function encodePrompts(
  parts: ModelParts,
  builder: SessionBuilder,
  prompts: Iterable<string>,
  signal?: AbortSignal,
): Promise<Map<string, PromptStates>> {
  const learned = parts.textEncoders.map(() => ({ ids: [], vectors: new Float32Array() }));
  using conditioner = new TextConditioner(parts, learned, builder);
  const states = new Map<string, PromptStates>();
  for (const prompt of new Set(prompts)) {
    const { hiddenStates, pooled } = await conditioner.encode({
      sections: [[{ text: prompt, weight: 1 }]],
      longPrompt: "truncate",
      clipSkip: 0,
    }, signal);
    states.set(prompt, { hidden: hiddenStates, pooled });
  }
  return states;
}
