/**
 * The autoencoder at work: from latents to a picture.
 *
 * @module
 */

import { Tensor } from "../ffi/tensor.ts";
import { vaeDecoder } from "../models/vae_decoder.ts";
import { Image } from "./image.ts";
import type { ModelParts } from "./model_parts.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";

/** Latents of one picture with their sizes. */
export interface Latents {
  /** Float32Array [channels, height, width], scaled as the U-Net has them. */
  readonly data: Float32Array;
  readonly channels: number;
  /** The picture's height divided by the autoencoder's factor. */
  readonly height: number;
  readonly width: number;
}

/** Decodes latents. */
export class Autoencoder implements Disposable {
  readonly #decoders = new SessionCache(2);

  constructor(readonly parts: ModelParts, readonly builder: SessionBuilder) {}

  /** Decodes one picture. */
  async decode(latents: Latents, signal?: AbortSignal): Promise<Image> {
    const { data, channels, height, width } = latents;
    const { config, weights } = this.parts.vae;
    const session = await this.#decoders.get(
      `${height} ${width}`,
      () => this.builder.build(vaeDecoder(config, weights, { batch: 1, height, width })),
    );
    using input = Tensor.from(this.builder.runtime, "float32", data, [1, channels, height, width]);
    const outputs = await session.run({ latents: input }, signal ? { signal } : {});
    using image = outputs.image!;
    return Image.fromTensor(
      image.data as Float32Array,
      width * config.factor,
      height * config.factor,
    );
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#decoders[Symbol.dispose]();
  }
}
