/** LoRA (arXiv:2106.09685) as inputs of a graph: which one acts, and how strongly, is data. */
import { add } from "../graph/ops/arithmetic.ts";
import { conv } from "../graph/ops/conv.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { linear, matMul } from "../graph/ops/linalg.ts";
import { reshape, transpose } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import { input, type Value } from "../graph/value.ts";
import { comparableName } from "../weights/lora_names.ts";
import type { AdaptableLayer } from "./graph_model.ts";

/** Name of a layer's input [rank, inputs]; the layer as `comparableName` has it. */
export const loraDown = (layer: string): string => `lora_down.${layer}`;
/** Name of a layer's input [rank, out]. */
export const loraUp = (layer: string): string => `lora_up.${layer}`;
/** Whether an input is one of these. */
export const isLoraInput = (name: string): boolean => /^lora_(down|up)\./.test(name);

/**
 * Adds two inputs to each of some layers while their network is built: give `adapt` to its options
 * and `inputs` to its graph. The ranks are variable, of each layer its own.
 */
export class LoraInputs {
  readonly #layers: ReadonlySet<string>;
  readonly #inputs: Value[] = [];

  /** Takes the names of the layers, as `comparableName` has them. */
  constructor(layers: ReadonlySet<string>) {
    this.#layers = layers;
  }

  /** The inputs so far, two for each layer that the network has. */
  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  /** The layer's output `y` with the change that the inputs make for its input `x`. */
  readonly adapt = (layer: AdaptableLayer, x: Value, y: Value): Value => {
    const name = comparableName(layer.name);
    if (!this.#layers.has(name)) return y;
    return scope("lora", () => {
      const { shape: [out, ...inner], convolution } = layer as { shape: number[] } & typeof layer;
      const rank = `rank_${this.#inputs.length / 2}`, inputs = inner.reduce((a, b) => a * b, 1);
      const downInput = input(loraDown(name), "float32", [rank, inputs]);
      const upInput = input(loraUp(name), "float32", [rank, out!]);
      this.#inputs.push(downInput, upInput);
      const down = cast(downInput, x.dtype), up = cast(upInput, x.dtype);
      if (!convolution) return add(y, matMul(linear(x, down), up));
      const small = conv(x, reshape(down, [rank, ...inner]), undefined, convolution);
      return add(y, conv(small, reshape(transpose(up), [out!, rank, 1, 1])));
    });
  };
}
