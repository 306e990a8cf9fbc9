/**
 * SDXL's two models behind one another: the base draws while there is much noise, the refiner, which
 * was trained on little, the rest. Nothing is decoded between them.
 *
 * @module
 */

import type { Latents } from "./autoencoder.ts";
import { type GenerateOptions, OptionError } from "./options.ts";
import type { Settings } from "./settings.ts";
import type { StableDiffusion } from "./stable_diffusion.ts";
import type { Step } from "./step.ts";

/** Share of the noise levels that the base draws, where nothing is said. */
export const REFINER_START = 0.8;

/** Steps of one model, which take their random numbers from where the other left them. */
export type StepsOf = (settings: Settings) => AsyncGenerator<Step, void, void>;

/** Draws with the base, then with the refiner; the steps are numbered through. */
export async function* denoiseRefined(
  base: { readonly sd: StableDiffusion; readonly steps: StepsOf },
  refiner: { readonly sd: StableDiffusion; readonly steps: StepsOf },
  settings: Settings,
): AsyncGenerator<Step, void, void> {
  const { refinerStart: share = REFINER_START } = settings;
  const first = { ...settings, denoisingEnd: share };
  const before = base.sd.plan(first).stages.length;
  const blank: Latents = { channels: 1, width: 1, height: 1, data: new Float32Array(1) };
  const rest = (latents: Latents) => refiner.sd.settings(refinement(settings, share, latents));
  const count = before + refiner.sd.plan(rest(blank)).stages.length;
  let latents: Latents | undefined;
  for await (const step of base.steps(first)) {
    latents = step.latents;
    yield { ...step, count };
  }
  for await (const step of refiner.steps(rest(latents!))) {
    yield { ...step, index: step.index + before, count };
  }
}

/** What the refiner is asked: the same picture, without what belongs to the base's networks. */
function refinement(settings: Settings, share: number, latents: Latents): GenerateOptions {
  const { controls: _c, imagePrompts: _i, adapters: _a, refinerStart: _r, ...common } = settings;
  const {
    loras: _l,
    clipGuidance: _g,
    clipPrompt: _t,
    like: _k,
    likeScale: _f,
    image: _p,
    noise: _n,
    strength: _s,
    variationSeed: _v,
    variationStrength: _w,
    ...rest
  } = common;
  return { ...rest, latents, denoisingStart: share };
}

/** Whether anything of the run is left to the refiner. */
export function isRefined({ refinerStart = REFINER_START, denoisingEnd = 1 }: Settings): boolean {
  return refinerStart < denoisingEnd;
}

/** Whether the refiner can go on with what is asked for. @throws {OptionError} */
export function checkRefinement(options: GenerateOptions, isThere: boolean): void {
  const { refinerStart = REFINER_START, denoisingStart = 0 } = options;
  const refuse = (option: string, why: string): never => {
    throw new OptionError(option, `Cannot generate: ${why}`);
  };
  if (!isThere) {
    if (options.refinerStart === undefined) return;
    return refuse("refinerStart", "there is no refiner. Open one beside the model.");
  }
  if (refinerStart <= denoisingStart) {
    refuse("refinerStart", `the refiner starts at ${refinerStart}, before the base's own start.`);
  }
  if (options.mask) refuse("mask", "the refiner draws whole pictures, without a mask.");
  if (options.conditioning) {
    refuse("conditioning", "the refiner encodes prompts itself: give a prompt, not its states.");
  }
}
