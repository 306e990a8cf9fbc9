/**
 * How a pipeline is opened.
 *
 * @module
 */

import { cpu, type Provider } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import type { IpAdapter } from "./image_prompts.ts";
import type { Lora } from "./lora.ts";
import type { LoraMode } from "./prompt_loras.ts";
import type { OpenModelOptions } from "./open_model.ts";
import { openvinoOptions } from "./openvino.ts";
import { type Convolution, type Precision, quantizing, winograd } from "./precision.ts";
import { processorLimit } from "./processor_limit.ts";
import { SessionBuilder } from "./session_builder.ts";
import { chooseThreads } from "./thread_choice.ts";

/** Options of `StableDiffusion.open`. */
export interface OpenOptions extends OpenModelOptions {
  /** Execution providers in order of preference. Default: the CPU. */
  readonly providers?: readonly Provider[];
  /** An autoencoder for `StableDiffusion.preview`, such as TAESD; as `vae`. */
  readonly previewVae?: string;
  /** SDXL's refiner, which draws the end of every run: a model as the first argument. */
  readonly refiner?: string;
  /** LoRA files with their weights, of every picture; `loras` of one are its own. */
  readonly loras?: readonly Lora[];
  /** How LoRAs act: merged into weights (default), or at run time, to change from run to run. */
  readonly loraMode?: LoraMode;
  /** Folder of the LoRAs that prompts name: `<lora:name:0.8>`. Default: names are paths. */
  readonly loraFolder?: string;
  /** Textual inversion files: new words for prompts. */
  readonly embeddings?: readonly string[];
  /** ControlNets: folders or single files. */
  readonly controlNets?: readonly string[];
  /** IP-Adapters with their image encoders. */
  readonly ipAdapters?: readonly IpAdapter[];
  /** T2I-Adapters: folders or single files. */
  readonly t2iAdapters?: readonly string[];
  /** Folder of a CLIP model for guidance by it. Default: what stands beside the model. */
  readonly clip?: string;
  /** The autoencoder that it decodes with: TAESD costs a small part of the model's own; as `vae`. */
  readonly clipVae?: string;
  /** Put the SHA-256 of large weight files into pictures, too: a second for a gigabyte, once. */
  readonly hashWeights?: boolean;
  /** Told how many bytes of the weight files are hashed. */
  readonly onHashing?: (done: number, total: number) => void;
  /** Path of ONNX Runtime's library. Default: looked for, see `openRuntime`. */
  readonly library?: string;
  /** Threads within an operator. Default: one a core, of those that a container may use. */
  readonly threads?: number;
  /**
   * Take as little memory as can be, for more time: weights in half precision are converted part by
   * part at every step, and pictures are decoded in tiles of 256 pixels. Default false.
   */
  readonly lowMemory?: boolean;
  /**
   * Keep everything on the device from step to step, where a run allows it: plain guidance, nothing
   * beside the prompt. Default: with CUDA. The processor does it, too, and gains nothing.
   */
  readonly deviceLoop?: boolean;
  /**
   * Bits of the U-Net's and the decoder's weights; fewer need the CPU. "bfloat16" needs OpenVINO, and
   * is what all networks compute in. Default "float32", or what OpenVINO's own options ask for.
   */
  readonly precision?: Precision;
  /** How 3x3 convolutions are computed. Default "direct". */
  readonly convolution?: Convolution;
  /** Choose precision and convolution by model and processor, unless given: see `fastWeights`. */
  readonly fast?: boolean;
  /** Told how many bytes of a network have been put into another form, the first time. */
  readonly onConvert?: (done: number, total: number) => void;
  /** Write a trace of each network to a file that begins so, once the pipeline is disposed of. */
  readonly profile?: string;
  /** Told what is not as it was asked for, such as a provider that could not start. */
  readonly onWarning?: (message: string) => void;
}

/** What makes the sessions of a pipeline that is opened so. @throws {LibraryNotFoundError} */
export function builderOf(
  { providers = [cpu()], library, threads, precision, convolution, onConvert, ...rest }:
    OpenOptions,
): SessionBuilder {
  const runtime = openRuntime(library === undefined ? {} : { library });
  const { threads: own } = chooseThreads(threads, processorLimit());
  const asked = { bfloat16: precision === "bfloat16", ...(own !== undefined && { threads: own }) };
  return new SessionBuilder(runtime, {
    providers: providers.map((provider) => openvinoOptions(provider, asked)),
    ...(precision === "float16" && { dtype: precision }),
    ...quantizing(precision, onConvert),
    ...winograd(convolution, onConvert),
    ...(threads !== undefined && { threads }),
    ...(rest.lowMemory && { lowMemory: true }),
    ...(rest.profile !== undefined && { profile: rest.profile }),
    ...(rest.onWarning && { onWarning: rest.onWarning }),
  });
}
