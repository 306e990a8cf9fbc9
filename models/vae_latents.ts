import type { VaeConfig } from "./vae_config.ts";

/** How an autoencoder's latents are normalized. */
export type LatentNormalization =
  & Pick<VaeConfig, "latentChannels" | "scalingFactor" | "shiftFactor">
  & Partial<Pick<VaeConfig, "latentsMean" | "latentsStd">>;

/** What turns the autoencoder's latents into the U-Net's: (latents - shift) * scale, by channel. */
export interface LatentScale {
  /** Subtracted, for each channel. */
  readonly shift: readonly number[];
  /** Multiplied, for each channel. */
  readonly scale: readonly number[];
}

/** The normalization of a VAE's latents, one number of each for every channel. */
export function latentScale(config: LatentNormalization): LatentScale {
  const { latentsMean, latentsStd, scalingFactor, shiftFactor, latentChannels } = config;
  if (latentsMean !== undefined && latentsStd !== undefined) {
    return { shift: latentsMean, scale: latentsStd.map((std) => scalingFactor / std) };
  }
  return {
    shift: Array(latentChannels).fill(shiftFactor),
    scale: Array(latentChannels).fill(scalingFactor),
  };
}

/**
 * Draws the U-Net's latents from the encoder's outputs: mean + exp(logvar / 2) * noise, normalized.
 * All are Float32Array [B, channels, h, w]; without noise or `logvar`, the most likely latents.
 */
export function latentsFromMoments(
  config: LatentNormalization,
  moments: { readonly mean: Float32Array; readonly logvar?: Float32Array | undefined },
  shape: { readonly batch: number; readonly height: number; readonly width: number },
  noise?: Float32Array,
): Float32Array<ArrayBuffer> {
  const { shift, scale } = latentScale(config);
  const plane = shape.height * shape.width;
  const { mean, logvar } = moments;
  const expected = shape.batch * config.latentChannels * plane;
  for (const array of [mean, logvar ?? mean, noise ?? mean]) {
    if (array.length === expected) continue;
    throw new RangeError(
      `Cannot make latents: an array does not fit; got ${array.length} numbers, ` +
        `expected ${expected}.`,
    );
  }
  return Float32Array.from(mean, (value, i) => {
    const channel = Math.floor(i / plane) % config.latentChannels;
    // Each product and sum is rounded to float32, as in diffusers.
    const deviation = noise && logvar ? Math.fround(Math.exp(logvar[i]! / 2)) * noise[i]! : 0;
    const sample = Math.fround(value + Math.fround(deviation));
    return Math.fround(sample - shift[channel]!) * scale[channel]!;
  });
}
