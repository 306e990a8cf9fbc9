/**
 * Outpainting as an option of a run.
 *
 * @module
 */

import { type GenerateOptions, OptionError } from "./options.ts";
import { extendCanvas } from "./outpaint.ts";

/** The options with the canvas grown that they ask for. @throws {OptionError} */
export function extended({ extend, ...options }: GenerateOptions): GenerateOptions {
  const { image, mask } = options;
  if (!extend || !image) return options;
  try {
    return { ...options, ...extendCanvas(image, extend, mask) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new OptionError("extend", error.message, { cause: error });
  }
}
