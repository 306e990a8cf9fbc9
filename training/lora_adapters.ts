/** LoRA (Hu et al. 2021, arXiv:2106.09685): two small matrices beside a layer, which alone change. */
import { add, mul } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { conv } from "../graph/ops/conv.ts";
import { linear } from "../graph/ops/linalg.ts";
import { input, type Value } from "../graph/value.ts";
import type { AdaptableLayer } from "../models/graph_model.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import type { LoraNetwork } from "../weights/lora_names.ts";
import { derivedSeed } from "./derived_seed.ts";

/** Which layers get matrices: the attention's projections, or every layer of every block. */
export const LORA_TARGETS = ["attention", "all"] as const;

/** How LoRA matrices are made. */
export interface LoraShape {
  /** Rows of the first matrix and columns of the second. */
  readonly rank: number;
  /** The product is multiplied by alpha / rank. */
  readonly alpha: number;
  /** See `LORA_TARGETS`. */
  readonly targets: (typeof LORA_TARGETS)[number];
  /** Decides the first matrices. */
  readonly seed: number;
}

/** The matrices of one layer. */
export interface LoraPair {
  /** Whose layer it is. */
  readonly network: LoraNetwork;
  /** The layer's name in the checkpoint. */
  readonly layer: string;
  /** [rank, in] or [rank, in, height, width]. */
  readonly down: Value;
  /** [out, rank] or [out, rank, 1, 1]. */
  readonly up: Value;
}

const PATTERNS: Readonly<Record<LoraShape["targets"], readonly [unet: RegExp, text: RegExp]>> = {
  attention: [/\.attn[12]\.to_(q|k|v|out\.0)$/, /\.self_attn\.(q|k|v|out)_proj$/],
  all: [/^(down_blocks|mid_block|up_blocks)\./, /\.layers\.\d+\./],
};

/** Adds matrices to the layers of networks while their graphs are built. */
export class LoraAdapters {
  readonly #shape: LoraShape;
  readonly #pairs = new Map<string, LoraPair>();

  /** Nothing is adapted until a network is built with `adapt`. */
  constructor(shape: LoraShape) {
    this.#shape = shape;
  }

  /** The matrices so far, in the order of the graph. */
  get pairs(): readonly LoraPair[] {
    return [...this.#pairs.values()];
  }

  /** What to train. */
  get parameters(): Value[] {
    return this.pairs.flatMap(({ down, up }) => [down, up]);
  }

  /** Gives a network's option `adapt`. */
  adapt(network: LoraNetwork): (layer: AdaptableLayer, x: Value, y: Value) => Value {
    const pattern = PATTERNS[this.#shape.targets][network === "unet" ? 0 : 1];
    return (layer, x, y) => {
      if (!pattern.test(layer.name)) return y;
      const pair = this.#pair(network, layer), { convolution } = layer;
      const [down, up] = [cast(pair.down, x.dtype), cast(pair.up, x.dtype)] as const;
      const change = convolution
        ? conv(conv(x, down, undefined, convolution), up)
        : linear(linear(x, down), up);
      return add(y, mul(change, this.#shape.alpha / this.#shape.rank));
    };
  }

  /**
   * The first values: `down` is uniform within 1 / sqrt(inputs of an output), as PyTorch's linear
   * layers begin; `up` is zero, so that the network begins as it was.
   */
  initial(): Map<string, Float32Array> {
    const values = new Map<string, Float32Array>();
    for (const { network, layer, down, up } of this.pairs) {
      const [rank, ...rest] = down.shape as number[];
      const inputs = rest.reduce((a, b) => a * b, 1), bound = 1 / Math.sqrt(inputs);
      const random = new TorchCpuGenerator(derivedSeed(this.#shape.seed, 0, `${network} ${layer}`));
      const uniform = random.uniform(rank! * inputs).map((u) => (2 * u - 1) * bound);
      values.set(downName(network, layer), uniform);
      const zeros = (up.shape as number[]).reduce((a, b) => a * b, 1);
      values.set(upName(network, layer), new Float32Array(zeros));
    }
    return values;
  }

  #pair(network: LoraNetwork, { name, shape, convolution }: AdaptableLayer): LoraPair {
    const key = `${network} ${name}`, known = this.#pairs.get(key);
    if (known) return known;
    const { rank } = this.#shape, [out, ...rest] = shape as [number, ...number[]];
    const pair = {
      network,
      layer: name,
      down: input(downName(network, name), "float32", [rank, ...rest]),
      up: input(upName(network, name), "float32", [out, rank, ...(convolution ? [1, 1] : [])]),
    };
    this.#pairs.set(key, pair);
    return pair;
  }
}

/** Name of the first matrix among the parameters. */
export const downName = (network: LoraNetwork, layer: string): string => `${network}.${layer}.down`;
/** Name of the second matrix among the parameters. */
export const upName = (network: LoraNetwork, layer: string): string => `${network}.${layer}.up`;
