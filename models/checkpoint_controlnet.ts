/** ControlNets in single files with the names of the original code (arXiv:2302.05543). */
import { ModelFormatError } from "../weights/model_format_error.ts";
import { type TensorSource, tensorSource } from "../weights/stored_tensor.ts";
import { type CheckpointFamily, CROSS_ATTENTION, familyOfWidth, under } from "./checkpoint.ts";
import { unetNames } from "./checkpoint_unet.ts";

/** A ControlNet under diffusers' names, and the family of the U-Net that it belongs to. */
export interface ControlNetCheckpoint {
  /** The family whose U-Net it steers. */
  readonly family: CheckpointFamily;
  /** The ControlNet's tensors. */
  readonly controlNet: TensorSource;
}

const PREFIXES = ["control_model.", ""];
const HINT = /^input_hint_block\.(\d+)\.(weight|bias)$/;
const ZERO = /^zero_convs\.(\d+)\.0\.(weight|bias)$/;

/** Whether a file names its tensors as the original ControlNets do. */
export function isControlNetCheckpoint(source: TensorSource): boolean {
  return PREFIXES.some((prefix) => source.get(`${prefix}zero_convs.0.0.weight`) !== undefined);
}

/**
 * Gives a single-file ControlNet the names of a diffusers folder. Throws ModelFormatError for files
 * of other kinds.
 */
export function openControlNetCheckpoint(source: TensorSource): ControlNetCheckpoint {
  const prefix = PREFIXES.find((p) => source.get(`${p}zero_convs.0.0.weight`) !== undefined);
  const tensors = prefix === undefined ? [] : under(source, prefix);
  const names = controlNetNames(tensors.map(({ name }) => name));
  const width = tensors.find(({ name }) => CROSS_ATTENTION.test(name))?.shape[1];
  const family = familyOfWidth(width);
  if (family === undefined) {
    throw new ModelFormatError(
      `Cannot open ${source.path} as a ControlNet: ` +
        (prefix === undefined
          ? "there is no zero_convs.0.0.weight."
          : `its cross-attention is ${width} wide; expected 768, 1024 or 2048.`),
      { path: source.path },
    );
  }
  const renamed = tensors.flatMap((tensor) => {
    const name = names.get(tensor.name);
    return name === undefined ? [] : [{ ...tensor, name }];
  });
  return { family, controlNet: tensorSource(source.path, renamed) };
}

/**
 * Diffusers' names of a ControlNet's tensors. The layers of its small network are numbered with the
 * activations between them: 0 is the first, 14 the last of eight.
 */
export function controlNetNames(names: Iterable<string>): Map<string, string> {
  const all = [...names];
  const map = unetNames(all);
  const last = Math.max(...all.map((name) => Number(HINT.exec(name)?.[1] ?? 0)));
  for (const name of all) {
    const [, i, kind] = HINT.exec(name) ?? [];
    if (i !== undefined) {
      map.set(name, `controlnet_cond_embedding.${hintLayer(Number(i), last)}.${kind}`);
    }
    if (ZERO.test(name)) map.set(name, name.replace(ZERO, "controlnet_down_blocks.$1.$2"));
    if (name.startsWith("middle_block_out.0.")) {
      map.set(name, name.replace("middle_block_out.0", "controlnet_mid_block"));
    }
  }
  return map;
}

function hintLayer(i: number, last: number): string {
  if (i === 0) return "conv_in";
  return i === last ? "conv_out" : `blocks.${i / 2 - 1}`;
}
