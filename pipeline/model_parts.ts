/**
 * The parts of a diffusers folder, opened: configurations checked, weight files found and their
 * headers read. Nothing is loaded yet; that takes milliseconds for a model of any size.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { AutoencoderConfig } from "../models/autoencoder_graphs.ts";
import { type ClipTextConfig, clipTextConfig } from "../models/clip_config.ts";
import { type UNetConfig, unetConfig } from "../models/unet_config.ts";
import { openComponent } from "../weights/open_weights.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { isOnnxFolder, openOnnxFolder } from "./onnx_folder.ts";
import { autoencoderConfig } from "./open_vae.ts";
import { type PipelineIndex, readJsonObject, readPipelineIndex } from "./pipeline_index.ts";
import { ClipTokenizer } from "./tokenizer.ts";

/** A network's configuration with its weights. */
export interface Network<C> {
  readonly config: C;
  readonly weights: TensorSource;
  /** Where it is an ONNX file already: the path of `model`, or those of `decoder` and `encoder`. */
  readonly onnx?: Readonly<Record<string, string>>;
}

/** A text encoder with its tokenizer. */
export interface TextEncoderParts extends Network<ClipTextConfig> {
  /** Which of SDXL's two it is; its refiner has the second alone. */
  readonly name: "text_encoder" | "text_encoder_2";
  readonly tokenizer: ClipTokenizer;
}

/** Everything that a pipeline is composed of. */
export interface ModelParts {
  /** The folder. */
  readonly path: string;
  readonly index: PipelineIndex;
  /** One text encoder; two for SDXL; the second of them for its refiner. */
  readonly textEncoders: readonly TextEncoderParts[];
  readonly unet: Network<UNetConfig>;
  readonly vae: Network<AutoencoderConfig>;
  /** `scheduler_config.json`. */
  readonly schedulerConfig: Readonly<Record<string, unknown>>;
  /** The variant of its weight files that was asked for, such as `fp16`. */
  readonly variant?: string | undefined;
}

/** An autoencoder that stands in for the model's own, opened once the family is known. */
export type OpenOtherVae = (family: PipelineIndex["family"]) => Promise<Network<AutoencoderConfig>>;

/** How a folder is opened. */
export interface FolderOptions {
  /** Weight files of a variant, such as `fp16`. */
  readonly variant?: string | undefined;
  readonly otherVae?: OpenOtherVae | undefined;
}

/** Opens a diffusers folder. @throws {ModelFormatError} that names the file at fault. */
export async function openFolder(
  path: string,
  options: FolderOptions = {},
): Promise<ModelParts> {
  const index = await readPipelineIndex(path);
  if (index.isOnnx || await isOnnxFolder(path)) return await openOnnxFolder(path, index, options);
  const network = async <C>(
    part: string,
    check: (json: Record<string, unknown>, path: string) => C,
  ): Promise<Network<C>> => {
    const folder = join(path, part), configPath = join(folder, "config.json");
    const config = check(await readJsonObject(configPath), configPath);
    return { config, weights: await openComponent(folder, options) };
  };
  const textEncoder = async (suffix: "" | "_2"): Promise<TextEncoderParts> => {
    const name = `text_encoder${suffix}` as const;
    const [tokenizer, parts] = await Promise.all([
      ClipTokenizer.open(join(path, `tokenizer${suffix}`)),
      network(name, clipTextConfig),
    ]);
    return { ...parts, name, tokenizer };
  };
  const suffixes = (["", "_2"] as const).filter((suffix) =>
    suffix === "" ? !index.isRefiner : index.family === "sdxl"
  );
  const [textEncoders, unet, vae, schedulerConfig] = await Promise.all([
    Promise.all(suffixes.map(textEncoder)),
    network("unet", unetConfig),
    options.otherVae?.(index.family) ?? network("vae", autoencoderConfig),
    readJsonObject(join(path, "scheduler", "scheduler_config.json")),
  ]);
  const { variant } = options;
  return { path, index, textEncoders, unet, vae, schedulerConfig, variant };
}

/** The folder that a model's parts lie in: that whose `unet/config.json` was read. */
export function folderOf({ unet }: Pick<ModelParts, "unet">): string {
  return dirname(dirname(unet.config.path));
}
