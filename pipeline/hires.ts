/**
 * Hires fix: a small picture first, for its composition, then a larger one that begins in it.
 *
 * @module
 */

import type { Latents } from "./autoencoder.ts";
import { type LatentFilter, resizeLatents } from "./hires_latents.ts";
import type { Image } from "./image.ts";
import type { ResizeFilter } from "./image_resize.ts";
import { paintedOver, type PreparedPainting } from "./outpaint_painting.ts";
import { OptionError, requireInteger, requireNumber } from "./options.ts";
import { paintingOf } from "./run_start.ts";
import type { Settings } from "./settings.ts";
import type { StableDiffusion } from "./stable_diffusion.ts";
import type { Step } from "./step.ts";
import { Upscaler } from "./upscale.ts";

/**
 * How a picture is enlarged between the passes: its latents (`latent` is bilinear, as in A1111), its
 * pixels, or by an upscaler's ONNX file, whose result is resized to what is asked for.
 */
export type HiresUpscale = "latent" | `latent-${LatentFilter}` | ResizeFilter | `${string}.onnx`;

const LATENT_FILTERS = ["nearest", "nearest-exact", "bilinear", "bicubic"] as const;
const PIXEL_FILTERS = ["nearest", "bilinear", "bicubic", "lanczos"] as const;

/** The second pass. */
export interface Hires {
  /** How much larger each side becomes, rounded to the autoencoder's factor. Default 2. */
  readonly scale?: number;
  /** Default `latent`. */
  readonly upscale?: HiresUpscale;
  /** How much of the picture is made anew, above 0 to 1. Default 0.7. */
  readonly strength?: number;
  /** Default: the steps of the first pass. */
  readonly steps?: number;
}

/** Checks the second pass. @throws {OptionError} */
export function checkHires({ scale, strength, steps, upscale = "latent" }: Hires): void {
  requireNumber("hires.scale", scale ?? 2, 1, 16);
  requireNumber("hires.strength", strength ?? 0.7, 0, 1);
  requireInteger("hires.steps", steps ?? 1, 1);
  if (upscale.endsWith(".onnx") || latentFilter(upscale) || pixelFilter(upscale)) return;
  throw new OptionError(
    "hires.upscale",
    `Cannot enlarge by ${upscale}; expected latent, ` +
      `${[...LATENT_FILTERS.map((name) => `latent-${name}`), ...PIXEL_FILTERS].join(", ")}, ` +
      "or an upscaler's .onnx file.",
  );
}

const latentFilter = (name: string) =>
  name === "latent" ? "bilinear" : LATENT_FILTERS.find((filter) => name === `latent-${filter}`);

const pixelFilter = (name: string) => PIXEL_FILTERS.find((filter) => name === filter);

/** Draws in two passes; the steps are numbered through, the last one's latents are large. */
export async function* denoiseHires(
  sd: StableDiffusion,
  settings: Settings,
  hires: Hires,
  factor: number,
): AsyncGenerator<Step, void, void> {
  const { strength = 0.7, steps = settings.steps, upscale = "latent" } = hires;
  const enlarged = (side: number) =>
    Math.max(factor, Math.round((side * (hires.scale ?? 2)) / factor) * factor);
  const size = { width: enlarged(settings.width), height: enlarged(settings.height) };
  const { hires: _, ...small } = settings;
  const painting = paintingOf({ ...small, ...size });
  const second = { ...secondPass(small, painting), ...size, strength, steps };
  const before = sd.plan(small).stages.length;
  const blank: Latents = { channels: 1, width: 1, height: 1, data: new Float32Array(1) };
  const count = before + sd.plan({ ...second, latents: blank }).stages.length;
  let latents: Latents | undefined;
  for await (const step of sd.denoise(small)) {
    latents = step.latents;
    yield { ...step, count };
  }
  const begin = await enlarge(sd, latents!, { upscale, size, factor, settings });
  const drawn = painting && "image" in begin
    ? { image: paintedOver(painting.image, begin.image, painting.mask) }
    : begin;
  for await (const step of sd.denoise({ ...second, ...drawn })) {
    yield { ...step, index: step.index + before, count };
  }
}

/** The second pass begins in the first one's result, whatever that began in; it paints the same. */
function secondPass(first: Settings, painting: PreparedPainting | undefined): Settings {
  const { image: _i, mask: _m, extend: _e, noise: _n, timesteps: _t, sigmas: _s, ...rest } = first;
  if (!painting) return rest;
  // What is painted is cut out and blurred already, and put back in the end.
  const { maskBlur: _b, maskedPadding: _p, pasteBack: _k, ...plain } = rest;
  const { image, mask } = painting;
  return { ...plain, image, mask };
}

/** What the second pass begins in: latents, or a picture to encode. */
async function enlarge(
  sd: StableDiffusion,
  latents: Latents,
  { upscale, size, factor, settings }: {
    readonly upscale: HiresUpscale;
    readonly size: { readonly width: number; readonly height: number };
    readonly factor: number;
    readonly settings: Settings;
  },
): Promise<{ latents: Latents } | { image: Image }> {
  const filter = latentFilter(upscale);
  if (filter) {
    const to = { width: size.width / factor, height: size.height / factor };
    return { latents: resizeLatents(latents, to, filter) };
  }
  const image = await sd.decode(latents), resampling = pixelFilter(upscale);
  if (resampling) return { image: image.resize(size.width, size.height, resampling) };
  using upscaler = await Upscaler.open(upscale, { providers: sd.providers });
  const { signal } = settings;
  const larger = await upscaler.upscale(image, signal ? { signal } : {});
  return { image: larger.resize(size.width, size.height) };
}
