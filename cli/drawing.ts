/**
 * Drawing pictures, and telling of them.
 *
 * @module
 */

import { type Image, inStep, type Latents, type Settings } from "../mod.ts";
import type { StableDiffusion, Step } from "../mod.ts";
import { withDeadline } from "./deadline.ts";
import { milliseconds } from "./events.ts";
import type { Reporter } from "./reporter.ts";

/** What is told of a picture's making. */
export interface Drawing {
  /** 0, 1, ... within the run. */
  readonly picture: number;
  readonly reporter: Reporter;
  /** Pictures drawn in step with it, itself among them. Default: it alone. */
  readonly batch?: Batch;
  /** Makes a coarse picture of the latents; absent: no previews. */
  readonly preview?: ((latents: Latents) => Promise<Image>) | undefined;
}

/** Successive pictures that are drawn in step. */
export interface Batch {
  /** Number of the first. */
  readonly first: number;
  readonly count: number;
}

/** Least time between two previews, in milliseconds: drawing them must not slow the run. */
const PREVIEW_PAUSE = 200;

/** Draws one picture and reports its stages and steps. */
export async function draw(
  sd: Pick<StableDiffusion, "denoise" | "decode">,
  settings: Settings,
  { picture, reporter, preview, batch }: Drawing,
): Promise<Image> {
  const previewed = reporter.tellsAll || !batch || picture === batch.first;
  let last: Step | undefined, shown = -Infinity, before = performance.now();
  reporter.stage("encoding the prompt", picture);
  for await (const step of sd.denoise(settings, { lazy: true })) {
    last = step;
    const now = performance.now(), { timestep, sigma, count: steps } = step;
    const seconds = milliseconds((now - before) / 1000), at = { picture, step: step.index + 1 };
    reporter.step({ ...at, steps, timestep, sigma, seconds }, batch);
    if (preview && previewed && now - shown >= PREVIEW_PAUSE) {
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

/** What came of a picture, and how long it took. */
export interface Drawn {
  readonly result: PromiseSettledResult<Image>;
  /** Its share of what the batch took. */
  readonly seconds: number;
}

/** Draws pictures in step; `timeout` is for each of them, in seconds. */
export async function drawTogether(
  sd: Pick<StableDiffusion, "denoise" | "decode">,
  pictures: readonly Settings[],
  { first, timeout, signal, ...drawing }: Omit<Drawing, "picture" | "batch"> & {
    /** Number of the first. */
    readonly first: number;
    readonly timeout: number | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Drawn[]> {
  const began = performance.now(), count = pictures.length;
  const results = await inStep(
    pictures.map((settings, i) => (seat) =>
      withDeadline(timeout, signal, (stop) => {
        const own = { ...settings, ...(seat && { seat }), signal: stop };
        const batch = seat && { batch: { first, count } };
        return draw(sd, own, { ...drawing, ...batch, picture: first + i });
      })
    ),
  );
  const seconds = (performance.now() - began) / 1000 / count;
  return results.map((result) => ({ result, seconds }));
}
