/**
 * Drawing one picture, and telling of it.
 *
 * @module
 */

import type { Image, Latents, Settings, StableDiffusion, Step } from "../mod.ts";
import { milliseconds } from "./events.ts";
import type { Reporter } from "./reporter.ts";

/** What is told of a picture's making. */
export interface Drawing {
  /** 0, 1, ... within the run. */
  readonly picture: number;
  readonly reporter: Reporter;
  /** Makes a coarse picture of the latents; absent: no previews. */
  readonly preview?: ((latents: Latents) => Promise<Image>) | undefined;
}

/** Least time between two previews, in milliseconds: drawing them must not slow the run. */
const PREVIEW_PAUSE = 200;

/** Draws one picture and reports its stages and steps. */
export async function draw(
  sd: Pick<StableDiffusion, "denoise" | "decode">,
  settings: Settings,
  { picture, reporter, preview }: Drawing,
): Promise<Image> {
  let last: Step | undefined, shown = -Infinity, before = performance.now();
  reporter.stage("encoding the prompt", picture);
  for await (const step of sd.denoise(settings, { lazy: true })) {
    last = step;
    const now = performance.now(), { timestep, sigma, count: steps } = step;
    const seconds = milliseconds((now - before) / 1000), at = { picture, step: step.index + 1 };
    reporter.step({ ...at, steps, timestep, sigma, seconds });
    if (preview && now - shown >= PREVIEW_PAUSE) {
      await reporter.preview(at, await preview(step.denoised));
      shown = now;
    }
    before = performance.now();
  }
  reporter.stage("decoding the picture", picture);
  const image = await sd.decode(last!.latents, settings);
  if (preview) await reporter.preview({ picture, step: "last" }, image);
  return image;
}
