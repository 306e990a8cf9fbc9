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
 * Training is in `training/mod.ts`, the experiments of `latent explain` in `explain/mod.ts`.
 *
 * @module
 */

export type { OpenOptions } from "./pipeline/open_options.ts";
export { StableDiffusion } from "./pipeline/stable_diffusion.ts";
export type { Step } from "./pipeline/step.ts";
export {
  DEFAULTS,
  type Defaults,
  type GenerateOptions,
  OptionError,
  randomSeed,
} from "./pipeline/options.ts";
export { commonOptions, type ManyOptions, optionsApart } from "./pipeline/generate_many.ts";
export { gathered, type Gathering } from "./pipeline/gathered.ts";
export { inStep, type Seat } from "./pipeline/lockstep.ts";
export { Frame, interpolate } from "./pipeline/interpolate.ts";
export { type FramePlan, RECIPE_KEYWORD, Walk, type Walker } from "./pipeline/walk.ts";
export type { InterpolateOptions } from "./pipeline/walk_options.ts";
export { type Mixing, MIXINGS } from "./pipeline/walk_mixing.ts";
export { type Easing, EASINGS } from "./pipeline/walk_path.ts";
export {
  type AnimationKind,
  animationKindOf,
  type AnimationOptions,
  type FrameSink,
  frameSink,
  type FrameTarget,
  saveAnimation,
} from "./pipeline/animation.ts";
export { openWhole, type WholeFile } from "./pipeline/image_save.ts";
export { type GridColor, type GridOptions, pictureGrid } from "./pipeline/picture_grid.ts";
export type { Settings } from "./pipeline/settings.ts";
export type { CropCorner, PictureSize, SizeConditioning } from "./pipeline/size_conditioning.ts";
export { Image } from "./pipeline/image.ts";
export type { Hires, HiresUpscale } from "./pipeline/hires.ts";
export type { StepCache } from "./pipeline/step_cache.ts";
export type { LatentFilter } from "./pipeline/hires_latents.ts";
export { type Canvas, extendCanvas, type Extension } from "./pipeline/outpaint.ts";
export {
  upscale,
  type UpscaleOptions,
  Upscaler,
  type UpscalerOptions,
} from "./pipeline/upscale.ts";
export { canny, type CannyOptions, invert, tile } from "./pipeline/preprocess.ts";
export { readFace } from "./pipeline/face_file.ts";
export type { ImagePrompt, IpAdapter } from "./pipeline/image_prompts.ts";
export type { AdapterPicture } from "./pipeline/t2i_adapters.ts";
export type { FreeU } from "./models/unet_variant.ts";
export type { PromptToken } from "./pipeline/prompt_tokens.ts";
export type { PromptSyntax } from "./pipeline/prompt_syntax.ts";
export type { LongPrompt } from "./pipeline/prompt_windows.ts";
export type { Control } from "./pipeline/control_nets.ts";
export { type Metadata, type MetadataSource, readMetadata } from "./pipeline/metadata.ts";
export type {
  InputPicture,
  PictureFacts,
  PictureRecord,
  WeightFile,
} from "./pipeline/metadata_record.ts";
export { metadataOfFile } from "./pipeline/metadata_file.ts";
export { optionsFromMetadata } from "./pipeline/metadata_options.ts";
export type { OpenModelOptions } from "./pipeline/open_model.ts";
export { fetchModel, type HubOptions, isHubId } from "./pipeline/hub.ts";
export {
  type CachedModelInfo,
  cachedModels,
  type Environment,
  hubCacheFolder,
  hubEndpoint,
} from "./pipeline/hub_cache.ts";
export { DownloadError } from "./pipeline/hub_download.ts";
export type { ExportedNetwork, ExportOptions } from "./pipeline/export_onnx.ts";
export type { GuidanceKind } from "./pipeline/guide.ts";
export type { RandomKind } from "./pipeline/random_source.ts";
export type { Lora } from "./pipeline/lora.ts";
export { LORA_MODES, type LoraMode } from "./pipeline/prompt_loras.ts";
export { ImageError } from "./pipeline/image_error.ts";
export type { ImageFormat } from "./pipeline/image_file.ts";
export type { ResizeFilter } from "./pipeline/image_resize.ts";
export {
  type Convolution,
  CONVOLUTIONS,
  type Precision,
  PRECISIONS,
} from "./pipeline/precision.ts";
export type { Pixels } from "./pipeline/pixels.ts";
export type { Latents, LatentSize } from "./pipeline/autoencoder.ts";
export type { Conditioning } from "./pipeline/text_conditioning.ts";
export type { SchedulerChoice } from "./pipeline/choose_scheduler.ts";
export {
  type PlanRequest,
  type Scheduler,
  schedulerFromConfig,
  type SchedulerOverrides,
} from "./schedulers/scheduler.ts";
export type { RunPart } from "./schedulers/part_of_run.ts";
export type { Solver } from "./schedulers/recipes/own.ts";
export { knownNames as schedulerNames } from "./schedulers/names.ts";
export { type PlanTable, planTable } from "./schedulers/plan_table.ts";
export type { Settings as SchedulerSettings } from "./schedulers/settings.ts";
export {
  denoise,
  type DenoiseOptions,
  type DenoisingStep,
  type NoiseSource,
  NotFiniteError,
  type Predict,
} from "./schedulers/denoise.ts";
export {
  type AdaptiveSearch,
  addNoise,
  type Basis,
  type Call,
  type Plan,
  type Precondition,
  type Prediction,
  type Row,
  type Stage,
} from "./schedulers/plan.ts";
export type { BetaSchedule, NoiseTableOptions } from "./schedulers/noise_table.ts";
export type { Spacing } from "./schedulers/spacing.ts";
export type { SigmaSchedule } from "./schedulers/sigmas.ts";
export type { Level } from "./schedulers/level.ts";
export type { Clipping } from "./schedulers/clipping.ts";
export {
  cpu,
  cuda,
  type CudaOptions,
  openvino,
  type OpenvinoOptions,
  plugin,
  type PluginOptions,
  type Provider,
  type ProviderExtras,
  tensorrt,
  type TensorrtOptions,
  tensorrtRtx,
  webgpu,
} from "./ffi/providers.ts";
export { OrtError, OutOfMemoryError, ProviderError } from "./ffi/errors.ts";
export { ModelFormatError } from "./weights/model_format_error.ts";
export type { DeviceSpeed } from "./pipeline/device_speed.ts";
export { type ProcessorLimit, processorLimit } from "./pipeline/processor_limit.ts";
export { type NetworkProfile, type OperatorProfile } from "./pipeline/profile.ts";
export { chooseThreads, type ThreadChoice } from "./pipeline/thread_choice.ts";
export {
  type Benchmark,
  benchmark,
  type BenchmarkCase,
  type BenchmarkOptions,
  type BenchmarkResult,
  type Times,
} from "./pipeline/benchmark.ts";
export {
  libraryCandidates,
  libraryFailure,
  type LibraryReport,
  libraryReport,
  packedVersion,
  type ProgramFolders,
  programFolders,
  type ProviderReport,
} from "./pipeline/library_report.ts";
export {
  installRuntime,
  type LibraryProbe,
  listRuntimes,
  removeRuntime,
  verifyRuntime,
} from "./pipeline/runtime_install.ts";
export { RuntimeInstallError } from "./pipeline/runtime_install_error.ts";
export type { InstalledRuntime } from "./ffi/library_store.ts";
export type { FileRecord } from "./ffi/library_files.ts";
