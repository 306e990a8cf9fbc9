/** Training: textual inversion, LoRA, DreamBooth, the embedded model, and the parts that they are made of. */
export type { ConceptOptions } from "./concept.ts";
export { trainDreambooth } from "./dreambooth.ts";
export { SCHEDULES } from "./learning_rate.ts";
export { type LoraOptions, trainLora } from "./lora.ts";
export { LORA_TARGETS } from "./lora_adapters.ts";
export { LORA_NAMES } from "./lora_save.ts";
export { OPTIMIZERS, RUN_DEFAULTS, type RunDefaults, type RunOptions } from "./run_options.ts";
export { type TextualInversionOptions, trainTextualInversion } from "./textual_inversion.ts";
export {
  type EmbeddedOptions,
  STAGE_DEFAULTS,
  type StageLength,
  type StageName,
  trainEmbedded,
} from "./embedded/train_embedded.ts";
export { DivergedError } from "./trainer.ts";
export { TrainingError } from "./training_error.ts";
export type { TrainingEvent } from "./training_run.ts";
export type { Optimizer } from "./optimizers.ts";
