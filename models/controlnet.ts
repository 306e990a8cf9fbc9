import { silu } from "../graph/ops/activation.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { expandLike, flip } from "../graph/ops/movement.ts";
import { reduceMean } from "../graph/ops/reduce.ts";
import { scope } from "../graph/scope.ts";
import { fixed } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ControlNetConfig } from "./controlnet_config.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";
import { downResidual, downTrunk, MID_RESIDUAL } from "./unet.ts";
import { conditionedSample, type UNetShape } from "./unet_conditioning.ts";

/** How a ControlNet is built. */
export interface ControlNetOptions extends ModelOptions {
  /** Finer residuals get less, from a tenth at the first to all at the mid block. */
  readonly guessMode?: boolean;
}

/**
 * A ControlNet (arXiv:2302.05543; diffusers ControlNetModel). Inputs: the U-Net's,
 * `controlnet_cond` [B, 3, 8h, 8w] (the control picture, 0..1) and `conditioning_scale` [1].
 * Outputs: the residuals, scaled, under the names of the U-Net's inputs for them
 * (`controlResiduals`). Throws ModelFormatError when the weights do not fit the config.
 */
export function controlNet(
  config: ControlNetConfig,
  source: TensorSource,
  shape: UNetShape,
  options: ControlNetOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the ControlNet", source, options);
  const inputs = new GraphInputs(options);
  const given = conditionedSample(config, w, inputs, shape);
  const factor = 2 ** (config.conditioningOutChannels.length - 1);
  const control = inputs.take("controlnet_cond", "float32", [
    shape.batch,
    config.conditioningChannels,
    shape.height * factor,
    shape.width * factor,
  ]);
  const scale = inputs.take("conditioning_scale", "float32", [1]);

  const channels = config.downBlocks[0]!.channels;
  const hint = controlEmbedding(config, cast(control, w.dtype), w.at("controlnet_cond_embedding"));
  const sample = conv2d(cast(given.sample, w.dtype), w.at("conv_in"), channels);
  const { h, skips } = downTrunk(add(sample, hint), w, given);

  const residual = (x: Value, step: string, i: number) => {
    const y = conv2d(x, w.at(step), fixed(step, x.shape, 1), { kernel: 1 });
    // logspace(-1, 0): a tenth at the first skip, one at the mid block.
    const weight = options.guessMode && !config.globalPool ? 10 ** (i / skips.length - 1) : 1;
    const scaled = mul(cast(y, "float32"), mul(scale, weight));
    if (!config.globalPool) return scaled;
    return expandLike(reduceMean(scaled, { axes: [2, 3], keepDims: true }), x);
  };
  const outputs = Object.fromEntries([
    ...skips.map((x, i) => [downResidual(i), residual(x, `controlnet_down_blocks.${i}`, i)]),
    [MID_RESIDUAL, residual(h, "controlnet_mid_block", skips.length)],
  ]);
  return {
    name: "controlnet",
    inputs: [...inputs.list(), ...w.parameters],
    outputs,
    parameters: w.parameters,
    unexpected: w.unexpected(),
  };
}

/** The small network that brings the control picture to the size and width of the latents. */
function controlEmbedding(config: ControlNetConfig, control: Value, w: NetworkWeights): Value {
  return scope(w.label, () => {
    const widths = config.conditioningOutChannels;
    const rgb = config.channelOrder === "bgr" ? flip(control, 1) : control;
    let h = silu(conv2d(rgb, w.at("conv_in"), widths[0]!));
    for (let i = 0; i + 1 < widths.length; i++) {
      h = silu(conv2d(h, w.at(`blocks.${2 * i}`), widths[i]!));
      h = silu(conv2d(h, w.at(`blocks.${2 * i + 1}`), widths[i + 1]!, { stride: 2 }));
    }
    return conv2d(h, w.at("conv_out"), config.downBlocks[0]!.channels);
  });
}
