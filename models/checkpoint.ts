/**
 * Single-file checkpoints: one `.safetensors` or `.ckpt` with the names of the LDM code base, seen
 * as the separate networks of a diffusers folder.
 */
import { ModelFormatError } from "../weights/model_format_error.ts";
import { type StoredTensor, type TensorSource, tensorSource } from "../weights/stored_tensor.ts";
import { openClipTensors } from "./checkpoint_open_clip.ts";
import { seemsToBe } from "./known_families.ts";
import { unetNames } from "./checkpoint_unet.ts";
import { vaeNames } from "./checkpoint_vae.ts";

/** Families of Stable Diffusion that a single file can hold. */
export type CheckpointFamily = "sd1" | "sd2" | "sdxl";

/** What a single file holds. */
export interface Checkpoint {
  /** Which family the networks belong to. */
  readonly family: CheckpointFamily;
  /** SDXL's refiner: its one text encoder is the second. */
  readonly isRefiner: boolean;
  /** Channels of the U-Net's input: 4; 9 inpainting; 8 InstructPix2Pix; 5 depth. */
  readonly inChannels: number;
  /** The networks under diffusers' names; undefined where the file has none of that network. */
  readonly unet: TensorSource;
  /** The autoencoder. */
  readonly vae: TensorSource | undefined;
  /** The only text encoder, or the first of SDXL. */
  readonly textEncoder: TensorSource | undefined;
  /** The second text encoder of SDXL. */
  readonly textEncoder2: TensorSource | undefined;
  /**
   * Set where the file itself says how it was trained (`v_pred` of SDXL files). For SD 2 nothing in
   * the file tells 2.1 (v) from 2.1-base (epsilon).
   */
  readonly prediction: "v_prediction" | undefined;
}

const UNET = "model.diffusion_model.";
const VAE = ["first_stage_model.", "vae.", ""];
const CLIP_L = ["cond_stage_model.transformer.", "conditioner.embedders.0.transformer."];
const SD2_OPEN_CLIP = "cond_stage_model.model.";
const XL_OPEN_CLIP = "conditioner.embedders.1.model.";
const REFINER = "conditioner.embedders.0.model.";
/** A weight as wide as the prompt's states. */
export const CROSS_ATTENTION = /^input_blocks\.\d+\.1\.transformer_blocks\.0\.attn2\.to_k\.weight$/;

/** The last layer of SD 2's text encoder, which it was trained to leave out (23 of 24 remain). */
const SD2_DROPPED = "transformer.resblocks.23.";

/** Whether a file names its tensors as single-file checkpoints do. */
export function isCheckpoint(source: TensorSource): boolean {
  return source.get(`${UNET}input_blocks.0.0.weight`) !== undefined;
}

/**
 * Takes a single-file checkpoint apart. Reads no weights but one small projection of SDXL. Throws
 * ModelFormatError for files of other kinds.
 */
export async function openCheckpoint(source: TensorSource): Promise<Checkpoint> {
  const unet = under(source, UNET);
  const first = unet.find((tensor) => tensor.name === "input_blocks.0.0.weight");
  if (first === undefined) {
    throw unknown(source, `there is no ${UNET}input_blocks.0.0.weight`);
  }
  const family = detectFamily(source, unet);
  const [text, text2] = await textEncoders(source, family);
  const named = (part: string, tensors: readonly StoredTensor[]) =>
    tensors.length === 0 ? undefined : tensorSource(`${source.path} (${part})`, tensors);
  return {
    family,
    isRefiner: isRefiner(source),
    inChannels: first.shape[1] ?? 0,
    unet: named("U-Net", mapped(unet, unetNames(unet.map(({ name }) => name))))!,
    vae: vaeOf(source),
    textEncoder: named("text encoder", text),
    textEncoder2: named("second text encoder", text2),
    prediction: source.get("v_pred") === undefined ? undefined : "v_prediction",
  };
}

/**
 * The autoencoder of a single file under diffusers' names, also of a file that holds nothing else;
 * undefined where there is none.
 */
export function vaeOf(source: TensorSource): TensorSource | undefined {
  const found = VAE.map((prefix) => under(source, prefix)).find((tensors) =>
    tensors.some(({ name }) => name === "decoder.conv_in.weight") &&
    tensors.some(({ name }) => name.startsWith("decoder.up."))
  );
  if (found === undefined) return undefined;
  const tensors = mapped(found, vaeNames(found.map(({ name }) => name)));
  return tensorSource(`${source.path} (VAE)`, squeezedAttention(tensors));
}

function detectFamily(source: TensorSource, unet: readonly StoredTensor[]): CheckpointFamily {
  const names = [...source.names()];
  if (names.some((name) => name.includes(".time_stack."))) {
    throw unknown(source, seemsToBe(names)!);
  }
  if (names.some((name) => name.startsWith("conditioner.embedders."))) return "sdxl";
  if (unet.some(({ name }) => name.startsWith("label_emb.0."))) return "sdxl";
  if (names.some((name) => name.startsWith(SD2_OPEN_CLIP))) return "sd2";
  if (CLIP_L.some((prefix) => names.some((name) => name.startsWith(prefix)))) return "sd1";
  // A U-Net without its text encoder: the width of the prompt tells.
  const width = unet.find(({ name }) => CROSS_ATTENTION.test(name))?.shape[1];
  const family = familyOfWidth(width);
  if (family !== undefined) return family;
  throw unknown(source, `its cross-attention is ${width} wide; expected 768, 1024 or 2048`);
}

function isRefiner(source: TensorSource): boolean {
  return source.get(`${REFINER}ln_final.weight`) !== undefined;
}

/** The family whose prompts have states of this width. */
export function familyOfWidth(width: number | undefined): CheckpointFamily | undefined {
  return ({ 768: "sd1", 1024: "sd2", 2048: "sdxl" } as const)[width ?? 0];
}

async function textEncoders(
  source: TensorSource,
  family: CheckpointFamily,
): Promise<[StoredTensor[], StoredTensor[]]> {
  if (family === "sd2") {
    const kept = under(source, SD2_OPEN_CLIP).filter(({ name }) =>
      !name.startsWith(SD2_DROPPED) && name !== "text_projection"
    );
    return [await openClipTensors(kept), []];
  }
  if (isRefiner(source)) return [[], await openClipTensors(under(source, REFINER))];
  const clipL = CLIP_L.flatMap((prefix) => under(source, prefix));
  const first = clipL.map((tensor) => ({ ...tensor, name: withPrefix(tensor.name) }));
  return [first, await openClipTensors(under(source, XL_OPEN_CLIP))];
}

/** Old merges dropped `text_model.`, which the names of a diffusers folder have. */
function withPrefix(name: string): string {
  return name.startsWith("text_model.") ? name : `text_model.${name}`;
}

/** The tensors whose names begin with `prefix`, which is removed. */
export function under(source: TensorSource, prefix: string): StoredTensor[] {
  const tensors: StoredTensor[] = [];
  for (const name of source.names()) {
    if (!name.startsWith(prefix)) continue;
    tensors.push({ ...source.get(name)!, name: name.slice(prefix.length) });
  }
  return tensors;
}

function mapped(
  tensors: readonly StoredTensor[],
  names: ReadonlyMap<string, string>,
): StoredTensor[] {
  return tensors.flatMap((tensor) => {
    const name = names.get(tensor.name);
    return name === undefined ? [] : [{ ...tensor, name }];
  });
}

/** The VAE's attention has 1x1 convolutions in single files, and matrices in diffusers folders. */
function squeezedAttention(tensors: readonly StoredTensor[]): StoredTensor[] {
  return tensors.map((tensor) =>
    tensor.name.includes(".attentions.") ? { ...tensor, shape: tensor.shape.slice(0, 2) } : tensor
  );
}

function unknown(source: TensorSource, why: string): ModelFormatError {
  return new ModelFormatError(
    `Cannot open ${source.path} as a Stable Diffusion checkpoint: ${why}. ` +
      "Known are single files of SD 1, SD 2 and SDXL.",
    { path: source.path },
  );
}
