import { concat } from "../graph/ops/join.ts";
import { scope } from "../graph/scope.ts";
import type { Dim } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import { conv2d, upsample2d } from "./layers.ts";
import type { ImagePrompts } from "./ip_adapter.ts";
import type { NetworkWeights } from "./network_weights.ts";
import { resnet } from "./resnet.ts";
import { spatialTransformer } from "./transformer.ts";
import { type FreeUFactors, strengthen } from "./free_u.ts";
import type { BlockConfig, UNetTrunkConfig } from "./unet_config.ts";
import { isWithin, type UNetVariant } from "./unet_variant.ts";

/** What every block is given besides its input. */
export interface Conditioning {
  /** The network's configuration. */
  readonly config: UNetTrunkConfig;
  /** Timestep embedding after its activation [B, n]. */
  readonly time: Value;
  /** The prompt's hidden states [B, S, D]. */
  readonly context: Value;
  /** How the network differs from the one that was trained. */
  readonly variant?: UNetVariant;
  /** Pictures as prompts. */
  readonly imagePrompts?: ImagePrompts | undefined;
  /** Adds a T2I-Adapter's feature to the result of a block on the way down. */
  readonly addFeature?: (x: Value) => Value;
  /** FreeU's factors for an up block. */
  readonly freeU?: FreeUFactors | undefined;
  /** May replace an up block's value before it meets a skip, of which so many are left. */
  readonly join?: (x: Value, skipsLeft: number) => Value;
}

/**
 * One resolution on the way down: layers of residual block and transformer, then half the size.
 * Returns the output and what is kept for the way up: every layer's result and the halved one.
 */
export function downBlock(
  x: Value,
  w: NetworkWeights,
  block: BlockConfig,
  given: Conditioning,
  downsample: boolean,
): { h: Value; skips: Value[] } {
  return scope(w.label, () => {
    let h = x;
    const skips: Value[] = [];
    // With attention a feature comes before the halving, without it after; the skips have it, too.
    const attends = block.transformers.length > 0;
    for (let i = 0; i < block.layers; i++) {
      h = layer(h, w, i, block, given);
      if (attends && i === block.layers - 1) h = given.addFeature?.(h) ?? h;
      skips.push(h);
    }
    if (downsample) {
      const padding = given.config.downsamplePadding || [0, 0, 1, 1];
      h = conv2d(h, w.at("downsamplers.0.conv"), block.channels, { stride: 2, padding });
      skips.push(h);
    }
    if (!attends && given.addFeature) skips.push(h = given.addFeature(skips.pop()!));
    return { h, skips };
  });
}

/** The bottom: residual block, transformer, residual block; distilled U-Nets have less. */
export function midBlock(x: Value, w: NetworkWeights, given: Conditioning): Value {
  const { config } = given;
  const last = config.downBlocks.at(-1)!;
  if (config.midBlock === "none") return x;
  return scope(w.label, () => {
    const h = residual(x, w.at("resnets.0"), last.channels, given, config.midScale);
    if (config.midBlock === "UNetMidBlock2D") return h;
    const attended = transformer(h, w.at("attentions.0"), config.midTransformers, {
      ...last,
      onlyCrossAttention: false,
    }, given);
    return residual(attended, w.at("resnets.1"), last.channels, given, config.midScale);
  });
}

/**
 * One resolution on the way up: each layer takes the latest of `skips` (which it removes) beside
 * its input; then the size is raised to that of the next skip, which is twice it or one less.
 */
export function upBlock(
  x: Value,
  w: NetworkWeights,
  block: BlockConfig,
  given: Conditioning,
  skips: Value[],
): Value {
  return scope(w.label, () => {
    let h = x;
    for (let i = 0; i < block.layers + 1; i++) {
      h = given.join?.(h, skips.length) ?? h;
      const skip = skips.pop()!;
      const both = given.freeU ? strengthen(h, skip, given.freeU) : [h, skip];
      h = layer(concat(both, 1), w, i, block, given);
    }
    const next = skips.at(-1);
    if (next === undefined) return h;
    const [, , height, width] = next.shape as [Dim, Dim, number, number];
    return upsample2d(h, w.at("upsamplers.0"), [height, width]);
  });
}

/** Residual block `i`, and transformer `i` where the block has attention. */
function layer(
  x: Value,
  w: NetworkWeights,
  i: number,
  block: BlockConfig,
  given: Conditioning,
): Value {
  const h = residual(x, w.at(`resnets.${i}`), block.channels, given);
  const blocks = block.transformers[i];
  if (blocks === undefined) return h;
  return transformer(h, w.at(`attentions.${i}`), blocks, block, given);
}

function residual(
  x: Value,
  w: NetworkWeights,
  channels: number,
  { config, time }: Conditioning,
  scale = 1,
): Value {
  const { normGroups: groups, normEpsilon: epsilon } = config;
  return resnet(x, w, { channels, groups, epsilon, time, scale });
}

/** Whether the part at `path` is of the finest resolution that has attention. */
function isFinest(path: string, { downBlocks }: UNetTrunkConfig): boolean {
  const down = downBlocks.findIndex(({ transformers }) => transformers.length > 0);
  return isWithin(path, [`down_blocks.${down}`, `up_blocks.${downBlocks.length - 1 - down}`]);
}

function transformer(
  x: Value,
  w: NetworkWeights,
  blocks: number,
  { heads, onlyCrossAttention }: Pick<BlockConfig, "heads" | "onlyCrossAttention">,
  { config, context, variant, imagePrompts }: Conditioning,
): Value {
  if (isWithin(w.path, variant?.skippedLayers)) return x;
  return spatialTransformer(x, w, {
    context,
    imagePrompts,
    identityAttention: isWithin(w.path, variant?.identityAttention),
    tokenMerging: isFinest(w.path, config) ? variant?.tokenMerging ?? 0 : 0,
    blocks,
    heads,
    onlyCrossAttention,
    groups: config.normGroups,
    linearProjection: config.useLinearProjection,
    upcastAttention: config.upcastAttention,
  });
}
