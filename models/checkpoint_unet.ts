/**
 * Names of the U-Net and its ControlNet-less kin in single-file checkpoints (the LDM code base's),
 * turned into diffusers' names. Which numbered block is which resolution is read off the names
 * themselves: every down- and upsampler ends one.
 */

/** Parts of a residual block. */
const RESNET: Readonly<Record<string, string>> = {
  "in_layers.0": "norm1",
  "in_layers.2": "conv1",
  "emb_layers.1": "time_emb_proj",
  "out_layers.0": "norm2",
  "out_layers.3": "conv2",
  "skip_connection": "conv_shortcut",
};

/** Everything outside the numbered blocks. */
const WHOLE: Readonly<Record<string, string>> = {
  "time_embed.0": "time_embedding.linear_1",
  "time_embed.2": "time_embedding.linear_2",
  "time_embed.cond_proj": "time_embedding.cond_proj",
  "label_emb.0.0": "add_embedding.linear_1",
  "label_emb.0.2": "add_embedding.linear_2",
  "label_emb": "class_embedding",
  "input_blocks.0.0": "conv_in",
  "out.0": "conv_norm_out",
  "out.2": "conv_out",
};

const MIDDLE = ["resnets.0", "attentions.0", "resnets.1"];

/**
 * Diffusers' names of a U-Net's tensors, from their names in a checkpoint with the prefix removed
 * (`model.diffusion_model.`). Names that belong to no U-Net are left out of the map.
 */
export function unetNames(names: Iterable<string>): Map<string, string> {
  const all = [...names];
  const down = blocksEndingAt(all, /^input_blocks\.(\d+)\.0\.op\.weight$/);
  const up = blocksEndingAt(all, /^output_blocks\.(\d+)\.[12]\.conv\.weight$/);
  const map = new Map<string, string>();
  for (const name of all) {
    const renamed = unetName(name, down, up);
    if (renamed !== undefined) map.set(name, renamed);
  }
  return map;
}

function unetName(name: string, down: number[], up: number[]): string | undefined {
  const [, stem = name, kind = ""] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const whole = WHOLE[stem];
  if (whole !== undefined) return `${whole}.${kind}`;

  const found = /^(input_blocks|middle_block|output_blocks)\.(\d+)\.(.+)$/.exec(stem);
  if (found === null) return undefined;
  const [, side, number, rest] = found as unknown as [string, string, string, string];
  const i = Number(number);
  if (side === "middle_block") {
    const place = MIDDLE[i];
    return place && joined(`mid_block.${place}`, partName(rest), kind);
  }
  const [, part, inner] = /^(\d)\.(.+)$/.exec(rest) ?? [];
  if (part === undefined || inner === undefined) return undefined;
  // The first convolution is a block of its own; a downsampler stands alone in the last of a block.
  const at = side === "input_blocks" ? blockAndLayer(i, down, 1) : blockAndLayer(i, up, 0);
  const block = `${side === "input_blocks" ? "down" : "up"}_blocks.${at.block}`;
  if (inner === "op") return `${block}.downsamplers.0.conv.${kind}`;
  if (inner === "conv") return `${block}.upsamplers.0.conv.${kind}`;
  const list = part === "0" ? "resnets" : "attentions";
  return joined(`${block}.${list}.${at.layer}`, partName(inner), kind);
}

/** Numbers of the blocks that end a resolution. */
function blocksEndingAt(names: readonly string[], pattern: RegExp): number[] {
  return names.flatMap((name) => {
    const number = pattern.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  }).sort((a, b) => a - b);
}

function blockAndLayer(i: number, ends: readonly number[], first: number) {
  const block = ends.filter((end) => end < i).length;
  const start = block === 0 ? first : ends[block - 1]! + 1;
  return { block, layer: i - start };
}

/** Residual blocks have names of their own; transformers are named alike in both. */
function partName(inner: string): string {
  return RESNET[inner] ?? inner;
}

function joined(...parts: string[]): string {
  return parts.join(".");
}
