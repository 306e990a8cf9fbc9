/**
 * Autoencoders by themselves: `--vae` takes one in place of the model's own.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import type { AutoencoderConfig } from "../models/autoencoder_graphs.ts";
import { vaeOf } from "../models/checkpoint.ts";
import { vaeCheckpointConfig } from "../models/checkpoint_configs.ts";
import { tinyVaeCheckpointConfig, tinyVaeOf } from "../models/checkpoint_tiny_vae.ts";
import { tinyVaeConfig } from "../models/tiny_vae.ts";
import { vaeConfig } from "../models/vae_config.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { isFile } from "./existing.ts";
import { fetchNetwork, type HubOptions, isHubId } from "./hub.ts";
import type { Network } from "./model_parts.ts";
import { readJsonObject } from "./pipeline_index.ts";

/** How an autoencoder is opened. */
export interface OpenVaeOptions extends HubOptions {
  /** The model's family, which says how a single file's latents are scaled. */
  readonly family: "sd" | "sdxl";
}

/**
 * Opens an autoencoder: a folder with its `config.json`, a file of an AutoencoderKL with the names of
 * diffusers or of a single-file checkpoint, TAESD in diffusers' or its author's names (of whose two
 * files either may be named), or a name on the Hub.
 *
 * @throws {ModelFormatError} for files of other kinds.
 */
export async function openVae(
  path: string,
  options: OpenVaeOptions,
): Promise<Network<AutoencoderConfig>> {
  let isDirectory: boolean;
  try {
    isDirectory = (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    if (isHubId(path)) return await openVaeFolder(await fetchNetwork(path, options), options);
    throw new ModelFormatError(
      `Cannot open the autoencoder ${path}: there is no such folder or file.`,
      { path, cause },
    );
  }
  return isDirectory ? await openVaeFolder(path, options) : await openVaeFile(path, options);
}

/** Checks the `config.json` of whichever autoencoder. @throws {ModelFormatError} */
export function autoencoderConfig(
  json: Record<string, unknown>,
  path: string,
): AutoencoderConfig {
  return json._class_name === "AutoencoderTiny" ? tinyVaeConfig(json, path) : vaeConfig(json, path);
}

async function openVaeFolder(
  folder: string,
  { variant, family }: OpenVaeOptions,
): Promise<Network<AutoencoderConfig>> {
  const halves = await authorsFiles(folder);
  if (halves.length > 0) return await openVaeFile(halves[0]!, { family });
  // The folder of a whole model is meant to give its autoencoder.
  const own = await isFile(join(folder, "model_index.json")) ? join(folder, "vae") : folder;
  const path = join(own, "config.json");
  const config = autoencoderConfig(await readJsonObject(path), path);
  return { config, weights: await openComponent(own, { variant }) };
}

async function openVaeFile(
  path: string,
  { family }: OpenVaeOptions,
): Promise<Network<AutoencoderConfig>> {
  const source = await openWeights(path);
  const kl = vaeOf(source) ?? diffusersKl(source);
  if (kl) {
    const xl = family === "sdxl" ? "sdxl" : "sd1";
    return { config: vaeConfig({ ...await configBeside(path, kl, xl) }, path), weights: kl };
  }
  const tiny = tinyVaeOf(await withOtherHalf(path, source));
  if (tiny) return { config: tinyVaeConfig(tinyVaeCheckpointConfig(tiny), path), weights: tiny };
  throw new ModelFormatError(
    `Cannot open ${path} as an autoencoder: it holds neither an AutoencoderKL nor a TAESD; its ` +
      `tensors are named ${[...source.names()].slice(0, 3).join(", ") || "nothing"}.`,
    { path },
  );
}

/** A file of a diffusers folder, taken out of it or named itself. */
function diffusersKl(source: TensorSource): TensorSource | undefined {
  return source.get("decoder.up_blocks.0.resnets.0.conv1.weight") ? source : undefined;
}

/** The `config.json` in the file's folder where that is an autoencoder's, else by the shapes. */
async function configBeside(path: string, source: TensorSource, family: "sd1" | "sdxl") {
  const beside = join(dirname(path), "config.json");
  if (/^diffusion_pytorch_model/.test(basename(path)) && await isFile(beside)) {
    return await readJsonObject(beside);
  }
  return vaeCheckpointConfig(source, family);
}

const AUTHORS = /(encoder|decoder)\.(safetensors|pth|pt)$/;

/** TAESD's own two files in a folder: `taesd_encoder.pth` and `taesd_decoder.pth`. */
async function authorsFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory && /^tae.*_/.test(name) && AUTHORS.test(name)) found.push(join(folder, name));
  }
  return found.sort();
}

/** Beside a file with one half, the file with the other, if it is there. */
async function withOtherHalf(path: string, source: TensorSource): Promise<TensorSource[]> {
  const [, half] = AUTHORS.exec(basename(path)) ?? [];
  if (half === undefined) return [source];
  const other = path.slice(0, -basename(path).length) +
    basename(path).replace(AUTHORS, `${half === "encoder" ? "decoder" : "encoder"}.$2`);
  return await isFile(other) ? [source, await openWeights(other)] : [source];
}
