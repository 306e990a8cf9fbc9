/**
 * Pictures on the way from one prompt and seed to others.
 *
 * @module
 */

import { Image } from "./image.ts";
import type { StableDiffusion } from "./stable_diffusion.ts";
import { type FramePlan, RECIPE_KEYWORD, Walk } from "./walk.ts";
import type { InterpolateOptions } from "./walk_options.ts";

/** A picture of a walk. */
export class Frame extends Image {
  /** 0, 1, ... */
  readonly index: number;
  /** Where on the walk it lies, 0 to 1. */
  readonly t: number;

  /** The pixels are those of `image`, not a copy; its texts get the frame's recipe beside them. */
  constructor(image: Image, { index, t, recipe }: FramePlan) {
    super(image.width, image.height, image.data);
    Object.assign(this.text, image.text, { [RECIPE_KEYWORD]: recipe });
    this.index = index;
    this.t = t;
  }
}

/**
 * Walks over prompts and seeds, and yields the pictures on the way.
 *
 * Frame i of n lies at t = i / (n - 1), or at i / n on a loop. The starting noise is mixed
 * spherically, the encoded prompts linearly; the negative prompt stays. Frames are drawn one after
 * another, each when it is asked for: `break` stops the work, and so does the signal, within a step.
 *
 * ```ts
 * for await (const frame of interpolate(sd, { from: "spring", to: "winter", frames: 24 })) {
 *   await frame.save(`${frame.index}.png`);
 * }
 * ```
 *
 * @throws {TypeError} where prompts are missing or given twice.
 * @throws {OptionError} for options that cannot be drawn with.
 */
export async function* interpolate(
  sd: StableDiffusion,
  options: InterpolateOptions,
): AsyncGenerator<Frame, void, void> {
  const walk = await Walk.open(sd, options, (settings) => sd.generate(settings));
  let previous: Image | undefined;
  for (let index = 0; index < walk.frames; index++) {
    const plan = await walk.frame(index, previous);
    const frame = new Frame(await sd.generate(plan.settings), plan);
    if (walk.feedback) previous = frame;
    yield frame;
  }
}
