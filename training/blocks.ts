import type { SegmentOf } from "../graph/recompute.ts";

const BLOCKS =
  /^(unet\/(?:(?:down|up)_blocks\.\d+|mid_block)\/(?:(?:resnets|attentions|downsamplers)\.\d+|conv)|text_encoder(?:_2)?\/layers\.\d+)/;

/**
 * The block of a network that a node belongs to: a residual block, a transformer or a change of size
 * of the U-Net, a layer of a text encoder. Between blocks a step keeps what it would have to recompute
 * everything for.
 */
export const blockOf: SegmentOf = ({ scope }) => BLOCKS.exec(scope)?.[1];
