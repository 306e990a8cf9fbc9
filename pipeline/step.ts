/**
 * What a run tells of each call of the U-Net.
 *
 * @module
 */

import type { DenoisingStep } from "../schedulers/denoise.ts";
import type { Latents } from "./autoencoder.ts";

/** One call of the U-Net and what came of it. */
export interface Step extends Omit<DenoisingStep, "latents" | "denoised"> {
  /** The latents after this call; a copy. */
  readonly latents: Latents;
  /** The clean picture's latents as of this call; a copy. */
  readonly denoised: Latents;
}
