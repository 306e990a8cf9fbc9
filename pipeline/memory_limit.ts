/**
 * Pictures that no memory holds, refused before minutes go by.
 *
 * @module
 */

import type { ModelParts } from "./model_parts.ts";
import { OptionError } from "./options.ts";

/** Arrays of its widest size that a U-Net holds at once at the very least: two of the finest level. */
const ARRAYS = 2;

/**
 * Checks that the finest level of the U-Net would fit into the machine's memory at all, to say
 * nothing of the rest. Where nobody may know how much there is, everything fits.
 *
 * @throws {OptionError} for a picture that is too large.
 */
export function checkMemory(
  { unet, vae }: ModelParts,
  { width, height }: { readonly width: number; readonly height: number },
  total = totalMemory(),
): void {
  if (total === undefined) return;
  const places = (width / vae.config.factor) * (height / vae.config.factor);
  const bytes = ARRAYS * 4 * places * unet.config.downBlocks[0]!.channels;
  if (bytes <= total) return;
  const [needed, all] = [bytes, total].map((each) => (each / 1e9).toFixed(0));
  throw new OptionError(
    width >= height ? "width" : "height",
    `Cannot generate ${width} x ${height} pixels: the U-Net alone would take more than ${needed} ` +
      `GB, and this machine has ${all}. Draw a smaller picture, and enlarge it: latent upscale.`,
  );
}

function totalMemory(): number | undefined {
  try {
    return Deno.systemMemoryInfo().total;
  } catch {
    return undefined; // Without --allow-sys nobody knows.
  }
}
