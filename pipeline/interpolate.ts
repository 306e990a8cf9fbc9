/**
 * Pictures on the way from one prompt and seed to others.
 *
 * @module
 */

import { Image } from "./image.ts";
import { gathered } from "./gathered.ts";
import { optionsApart } from "./generate_many.ts";
import { inStep } from "./lockstep.ts";
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
 * spherically, the encoded prompts linearly; the negative prompt stays. Frames are drawn when one is
 * asked for, as many in step as `batch` says: `break` stops the work, and so does the signal, within
 * a step.
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
  { batch, ...options }: InterpolateOptions,
): AsyncGenerator<Frame, void, void> {
  const walk = await Walk.open(sd, options, (settings) => sd.generate(settings));
  let previous: Image | undefined;
  const plans = async function* () {
    for (let index = 0; index < walk.frames; index++) yield await walk.frame(index, previous);
  };
  const groups = gathered(plans(), {
    size: ({ settings }) => walk.feedback ? 1 : batch ?? sd.batchSize(settings),
    joins: ([first], { settings }) => optionsApart(first!.settings, settings).length === 0,
  });
  for await (const group of groups) {
    for await (const frame of drawFrames(sd, group)) {
      if (walk.feedback) previous = frame;
      yield frame;
    }
  }
}

/** Draws frames in step and yields them in order, up to one that failed. */
async function* drawFrames(
  sd: StableDiffusion,
  plans: readonly FramePlan[],
): AsyncGenerator<Frame, void, void> {
  const results = await inStep(
    plans.map(({ settings }) => (seat) => sd.generate(seat ? { ...settings, seat } : settings)),
  );
  for (const [i, result] of results.entries()) {
    plans[i]!.settings.signal?.throwIfAborted();
    if (result.status === "rejected") throw result.reason;
    yield new Frame(result.value, plans[i]!);
  }
}
