/** Names of the autoencoder in single-file checkpoints, turned into diffusers' names. */

/** Parts of the mid attention: 1x1 convolutions there, linear layers here. */
const ATTENTION: Readonly<Record<string, string>> = {
  norm: "group_norm",
  q: "to_q",
  k: "to_k",
  v: "to_v",
  proj_out: "to_out.0",
};

/**
 * Diffusers' names of an autoencoder's tensors, from their names in a checkpoint with the prefix
 * removed (`first_stage_model.`). The decoder's blocks are counted from the finest there and from
 * the coarsest here. Names that belong to no autoencoder (its loss) are left out of the map.
 */
export function vaeNames(names: Iterable<string>): Map<string, string> {
  const all = [...names];
  const blocks = 1 + Math.max(
    ...all.map((name) => Number(/^decoder\.up\.(\d+)\./.exec(name)?.[1] ?? -1)),
  );
  const map = new Map<string, string>();
  for (const name of all) {
    const renamed = vaeName(name, blocks);
    if (renamed !== undefined) map.set(name, renamed);
  }
  return map;
}

function vaeName(name: string, blocks: number): string | undefined {
  if (/^(post_)?quant_conv\./.test(name)) return name;
  const [, side, rest] = /^(encoder|decoder)\.(.+)$/.exec(name) ?? [];
  if (side === undefined || rest === undefined) return undefined;
  if (/^conv_(in|out)\./.test(rest)) return name;
  return `${side}.${
    rest
      .replace(/^norm_out\./, "conv_norm_out.")
      .replace(/^mid\.block_([12])\./, (_, n) => `mid_block.resnets.${Number(n) - 1}.`)
      .replace(
        /^mid\.attn_1\.(\w+)\./,
        (_, part: string) => `mid_block.attentions.0.${ATTENTION[part] ?? part}.`,
      )
      .replace(/^down\.(\d+)\.block\./, "down_blocks.$1.resnets.")
      .replace(/^down\.(\d+)\.downsample\./, "down_blocks.$1.downsamplers.0.")
      .replace(/^up\.(\d+)\.block\./, (_, i) => `up_blocks.${blocks - 1 - Number(i)}.resnets.`)
      .replace(
        /^up\.(\d+)\.upsample\./,
        (_, i) => `up_blocks.${blocks - 1 - Number(i)}.upsamplers.0.`,
      )
      .replace(/\.nin_shortcut\./, ".conv_shortcut.")
  }`;
}
