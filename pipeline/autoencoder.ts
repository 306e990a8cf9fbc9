/**
 * The autoencoder at work: from latents to a picture.
 *
 * @module
 */

import { Tensor } from "../ffi/tensor.ts";
import { decoderGraph, encoderGraph } from "../models/autoencoder_graphs.ts";
import { latentsFromMoments } from "../models/vae_latents.ts";
import { Image } from "./image.ts";
import { tensorOf } from "./latents_on_device.ts";
import type { ModelParts } from "./model_parts.ts";
import { openOnnxDecoder, openOnnxEncoder } from "./onnx_vae.ts";
import { requireNumbers } from "./not_a_number.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";
import { decodeTiled } from "./vae_tiling.ts";

/** Sizes of one picture's latents. */
export interface LatentSize {
  /** 4 for Stable Diffusion. */
  readonly channels: number;
  /** The picture's height divided by the autoencoder's factor. */
  readonly height: number;
  /** The picture's width divided by the autoencoder's factor. */
  readonly width: number;
}

/** Latents of one picture with their sizes. */
export interface Latents extends LatentSize {
  /** Float32Array [channels, height, width], scaled as the U-Net has them. */
  readonly data: Float32Array;
}

/**
 * Bytes that decoding holds for each pixel: three activations of the widest layer at full size,
 * 256 channels of float32.
 */
const BYTES_PER_PIXEL = 3 * 256 * 4;

/** Whether decoding so many pixels at once takes more memory than there is. */
function exceedsMemory(pixels: number): boolean {
  try {
    return pixels * BYTES_PER_PIXEL > Deno.systemMemoryInfo().available;
  } catch {
    return false; // Without --allow-sys nobody knows.
  }
}

type Float = "float32" | "float16";

function isFinite(values: Float32Array): boolean {
  return values.every(Number.isFinite);
}

/** From pictures to latents and back. */
export class Autoencoder implements Disposable {
  readonly #encoders = new SessionCache(2);
  readonly #decoders = new SessionCache(4);
  /** What is decoded in: float32 from the first overflow on. */
  #dtype: Float;

  constructor(readonly parts: Pick<ModelParts, "vae">, readonly builder: SessionBuilder) {
    this.#dtype = builder.options.dtype ?? "float32";
  }

  /**
   * Decodes one picture: in tiles if asked to, or if the whole would not fit into the memory that
   * is left.
   */
  async decode(
    latents: Latents,
    options: {
      readonly tiling?: boolean | undefined;
      /** Side of the tiles in pixels. Default: that of the pictures it was trained on. */
      readonly tileSize?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<Image> {
    const { config } = this.parts.vae, { factor } = config;
    const width = latents.width * factor, height = latents.height * factor;
    const { tileSize = config.sampleSize } = options;
    const side = Math.max(1, Math.trunc(tileSize / factor));
    const isLarger = latents.width > side || latents.height > side;
    const tiling = isLarger && (options.tiling ?? exceedsMemory(width * height));
    const decodeAll = (dtype: Float) => {
      const decode = (part: Latents) => this.#decode(part, dtype, options.signal);
      return tiling
        ? decodeTiled(latents, { side, overlap: 0.25, factor }, decode)
        : decode(latents);
    };
    let pixels = await decodeAll(this.#dtype);
    if (this.#dtype === "float16" && !isFinite(pixels) && isFinite(latents.data)) {
      this.builder.warn("the autoencoder overflows in float16: decoding in float32 from now on");
      this.#dtype = "float32";
      pixels = await decodeAll(this.#dtype);
    }
    requireNumbers(pixels, latents, this.parts.vae.weights.path);
    return Image.fromTensor(pixels, width, height);
  }

  /** Float32Array [3, height, width] in pixels. */
  async #decode(
    latents: Latents,
    dtype: Float,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    const { config, weights, onnx } = this.parts.vae, { height, width } = latents;
    const session = await this.#decoders.get(
      onnx ? "" : `${height} ${width} ${dtype}`,
      async () => {
        if (onnx) return await openOnnxDecoder(this.builder, onnx.decoder!, config);
        const own = await this.builder.weightsOf("vae_decoder", weights);
        const shape = { batch: 1, height, width };
        const graph = () => decoderGraph(config, own, shape, { dtype });
        // What overflowed in half precision is not for its kernels either.
        const model = dtype === "float16" ? await this.builder.graphOf(graph) : graph();
        return await this.builder.build(model);
      },
    );
    // Around an ONNX file latents may have to be changed first, on the processor.
    const there = onnx ? undefined : tensorOf(latents);
    // A run takes what is on its device as it is; what is made here is released here.
    using here = there ? undefined : this.#tensorOf(latents);
    const outputs = await session.run({ latents: there ?? here! }, signal ? { signal } : {});
    using image = outputs.image!;
    return (image.data as Float32Array).slice();
  }

  #tensorOf({ data, channels, height, width }: Latents): Tensor {
    return Tensor.from(
      this.builder.runtime,
      "float32",
      data as Float32Array<ArrayBuffer>,
      [1, channels, height, width],
    );
  }

  /**
   * Encodes `pixels`, Float32Array [3, height, width] in -1..1, `factor` times the size given: a
   * sample of the posterior, with the noise that `draw` gives, Float32Array as large as the
   * latents. It is not asked where there is no distribution to draw from, and may give nothing for
   * the most likely latents.
   */
  async encode(
    pixels: Float32Array,
    size: LatentSize,
    draw: () => Float32Array | undefined,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { height, width } = size, { config } = this.parts.vae;
    const noise = config.kind === "tiny" ? undefined : draw();
    const moments = await this.#moments(pixels, size, signal);
    return latentsFromMoments(config, moments, { batch: 1, height, width }, noise);
  }

  /** The mean of the posterior as the encoder has it, not scaled: what InstructPix2Pix sees. */
  async encodeMean(
    pixels: Float32Array,
    size: LatentSize,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    return (await this.#moments(pixels, size, signal)).mean;
  }

  async #moments(
    pixels: Float32Array,
    size: LatentSize,
    signal: AbortSignal | undefined,
  ): Promise<{ mean: Float32Array; logvar: Float32Array | undefined }> {
    const { config, weights, onnx } = this.parts.vae;
    const { height, width } = size, shape = { batch: 1, height, width };
    const session = await this.#encoders.get(
      onnx ? "" : `${height} ${width}`,
      () =>
        onnx
          ? openOnnxEncoder(this.builder, onnx.encoder!)
          : this.builder.build(encoderGraph(config, weights, shape)),
    );
    using input = Tensor.from(this.builder.runtime, "float32", pixels, [
      1,
      config.inChannels,
      height * config.factor,
      width * config.factor,
    ]);
    const outputs = await session.run({ image: input }, signal ? { signal } : {});
    using mean = outputs.mean!, logvar = outputs.logvar;
    return {
      mean: (mean.data as Float32Array).slice(),
      logvar: (logvar?.data as Float32Array | undefined)?.slice(),
    };
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#encoders[Symbol.dispose]();
    this.#decoders[Symbol.dispose]();
  }
}
