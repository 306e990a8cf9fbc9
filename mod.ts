/**
 * Stable Diffusion for Deno, on ONNX Runtime's C API.
 *
 * ```ts
 * import { StableDiffusion } from "./mod.ts";
 *
 * await using sd = await StableDiffusion.open();
 * const image = await sd.generate({ prompt: "a red seven on a blue background", seed: 1 });
 * await image.save("seven.png");
 * ```
 *
 * @module
 */

export {
  type OpenOptions,
  type Settings,
  StableDiffusion,
  type Step,
} from "./pipeline/stable_diffusion.ts";
export { DEFAULTS, type GenerateOptions, OptionError, randomSeed } from "./pipeline/options.ts";
export { Image } from "./pipeline/image.ts";
export type { Latents } from "./pipeline/autoencoder.ts";
export { cpu, cuda, openvino, plugin, type Provider, webgpu } from "./ffi/providers.ts";
export { ModelFormatError } from "./weights/model_format_error.ts";
