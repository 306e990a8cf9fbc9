/**
 * Outpainting as an option of a run.
 *
 * @module
 */

import { asOption, type GenerateOptions } from "./options.ts";
import { type Canvas, extendCanvas } from "./outpaint.ts";

/**
 * What a run begins in and what of it is painted: `image` and `mask` as given, or with the canvas
 * grown that `extend` asks for. The options keep the picture as it was given: a record of the run
 * then tells how to make it again.
 *
 * @throws {OptionError}
 */
export function canvasOf(
  { extend, image, mask }: Pick<GenerateOptions, "extend" | "image" | "mask">,
): Partial<Canvas> {
  if (!extend || !image) return { ...(image && { image }), ...(mask && { mask }) };
  return asOption("extend", () => extendCanvas(image, extend, mask));
}
