/**
 * Values that are no numbers: said where they first show, in place of a black picture.
 *
 * @module
 */

import type { Latents } from "./autoencoder.ts";

/** An autoencoder computed NaN or infinity: its weights are damaged, or overflowed their type. */
export class NotANumberError extends Error {
  /** "NotANumberError". */
  override readonly name = "NotANumberError";
  /** `vae` is what computed it. */
  constructor(message: string, readonly vae: string) {
    super(message);
  }
}

const ADVICE =
  "Weights that hold NaN, or half-precision weights that overflowed, do that: `latent explain " +
  "model FILE` scans them.";

/** Checks what the autoencoder made of `latents`. @throws {NotANumberError} */
export function requireNumbers(pixels: Float32Array, latents: Latents, vae: string): void {
  const bad = countBad(pixels);
  if (bad === 0) return;
  // Only now: they may have to be copied from a device.
  const { data } = latents, before = countBad(data);
  if (before > 0) {
    throw new RangeError(
      `Cannot decode: ${before} of ${data.length} latents given are no numbers.`,
    );
  }
  throw new NotANumberError(
    `Cannot decode: the autoencoder ${vae} gave ${bad} values of ${pixels.length} that are no ` +
      `numbers, from latents that all are. ${ADVICE} --vae FILE takes another autoencoder.`,
    vae,
  );
}

function countBad(values: Float32Array): number {
  let bad = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) bad++;
  return bad;
}
