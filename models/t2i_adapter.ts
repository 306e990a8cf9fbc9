/** T2I-Adapter (Mou et al. 2023, arXiv:2302.08453): a picture as features for a U-Net's blocks. */
import { add } from "../graph/ops/arithmetic.ts";
import { averagePool } from "../graph/ops/conv.ts";
import { cast, relu } from "../graph/ops/elementwise.ts";
import { reshape, transpose } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import { fixed } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { type ConfigJson, ConfigReader } from "./config_reader.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";

/** `config.json` of a diffusers T2IAdapter, checked. */
export interface T2iAdapterConfig {
  readonly path: string;
  readonly kind: "full_adapter" | "full_adapter_xl" | "light_adapter";
  /** 3; 1 for sketches and edges. */
  readonly inChannels: number;
  readonly channels: readonly number[];
  readonly resnets: number;
  /** The picture's sides are divided by it at once. */
  readonly factor: number;
}

/** Checks the `config.json` of a T2IAdapter. @throws {ModelFormatError} */
export function t2iAdapterConfig(json: ConfigJson, path: string): T2iAdapterConfig {
  const reader = new ConfigReader(json, path);
  reader.requireClass(["T2IAdapter"]);
  return {
    path,
    kind: reader.choice("adapter_type", "full_adapter", [
      "full_adapter",
      "full_adapter_xl",
      "light_adapter",
    ]),
    inChannels: reader.integer("in_channels", 3),
    channels: reader.integers("channels", [320, 640, 1280, 1280]),
    resnets: reader.integer("num_res_blocks", 2),
    factor: reader.integer("downscale_factor", 8),
  };
}

/** Name of feature `i`, of the adapter's outputs and the U-Net's inputs; "" gives their beginning. */
export const adapterFeature = (i: number | ""): string =>
  `down_intrablock_additional_residuals_${i}`;

/**
 * The adapter. Input: `adapter_image` [B, C, height, width] from 0 to 1, in pixels. Outputs: one
 * feature a block, see {@linkcode adapterFeature}. The sides must be multiples of all its halvings.
 */
export function t2iAdapter(
  config: T2iAdapterConfig,
  source: TensorSource,
  shape: { readonly batch: number; readonly height: number; readonly width: number },
  options: ModelOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the T2I-Adapter", source, options).at("adapter");
  const inputs = new GraphInputs(options);
  const { batch, height, width } = shape;
  const image = inputs.take("adapter_image", "float32", [batch, config.inChannels, height, width]);
  let h = pixelUnshuffle(cast(image, w.dtype), config.factor);
  const light = config.kind === "light_adapter";
  if (!light) h = conv2d(h, w.at("conv_in"), config.channels[0]!);
  const features: Value[] = [];
  const count = config.channels.length + (light ? 1 : 0);
  for (let i = 0; i < count; i++) {
    h = light
      ? lightBlock(h, w.at(`body.${i}`), config, i)
      : fullBlock(h, w.at(`body.${i}`), config, i);
    features.push(h);
  }
  return {
    name: "t2i_adapter",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: Object.fromEntries(
      features.map((feature, i) => [adapterFeature(i), cast(feature, "float32")]),
    ),
    parameters: w.parameters,
    unexpected: w.unexpected(),
  };
}

/** Halvings come at every block but the first; in XL's at the third alone. */
function fullBlock(x: Value, w: NetworkWeights, config: T2iAdapterConfig, i: number): Value {
  return scope(w.label, () => {
    const halves = config.kind === "full_adapter_xl" ? i === 2 : i > 0;
    let h = halves ? averagePool(x, [2, 2]) : x;
    const channels = config.channels[i]!;
    if (fixed("t2iAdapter", h.shape, 1) !== channels) {
      h = conv2d(h, w.at("in_conv"), channels, { kernel: 1 });
    }
    for (let k = 0; k < config.resnets; k++) h = resnet(h, w.at(`resnets.${k}`), 1);
    return h;
  });
}

function lightBlock(x: Value, w: NetworkWeights, config: T2iAdapterConfig, i: number): Value {
  return scope(w.label, () => {
    const channels = config.channels[Math.min(i, config.channels.length - 1)]!;
    const halved = i > 0 ? averagePool(x, [2, 2]) : x;
    let h = conv2d(halved, w.at("in_conv"), Math.floor(channels / 4), { kernel: 1 });
    for (let k = 0; k < config.resnets; k++) h = resnet(h, w.at(`resnets.${k}`), 3);
    return conv2d(h, w.at("out_conv"), channels, { kernel: 1 });
  });
}

function resnet(x: Value, w: NetworkWeights, kernel: number): Value {
  return scope(w.label, () => {
    const channels = fixed("t2iAdapter", x.shape, 1);
    const h = relu(conv2d(x, w.at("block1"), channels));
    return add(conv2d(h, w.at("block2"), channels, { kernel }), x);
  });
}

/** [B, C, h f, w f] to [B, C f f, h, w]. */
function pixelUnshuffle(x: Value, factor: number): Value {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [h, w] = [height / factor, width / factor];
  const split = reshape(x, [batch, channels, h, factor, w, factor]);
  return reshape(transpose(split, [0, 1, 3, 5, 2, 4]), [batch, channels * factor ** 2, h, w]);
}
