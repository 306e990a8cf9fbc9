import type { Value } from "../graph/value.ts";

/** A network as a graph: give it to `toOnnx`. */
export interface GraphModel {
  /** Name of the graph. */
  readonly name: string;
  /** What a run must be fed, parameters included. Floating-point inputs are float32. */
  readonly inputs: readonly Value[];
  /** What a run computes. Floating-point outputs are float32. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** The weights that `ModelOptions.parameter` made inputs; `name` is the checkpoint's. */
  readonly parameters: readonly Value[];
  /** Tensors of the file that this network has no place for: another variant, or leftovers. */
  readonly unexpected: readonly string[];
}

/** A linear layer or a convolution of a network, as `ModelOptions.adapt` sees it. */
export interface AdaptableLayer {
  /** Name in the checkpoint, without `.weight`: "mid_block.attentions.0.proj_in". */
  readonly name: string;
  /** Shape of the weight: [out, in] or [out, in, height, width]. */
  readonly shape: readonly number[];
  /** Strides and pads of a convolution, undefined for a linear layer. */
  readonly convolution?: {
    readonly strides: readonly number[];
    readonly pads: readonly number[];
  };
}

/** How a network is built. */
export interface ModelOptions {
  /**
   * Element type of weights and activations, float32 by default. With float16 the graph converts
   * its inputs and outputs, which stay float32, and computes timestep embeddings in float32.
   */
  readonly dtype?: "float32" | "float16";
  /**
   * Leaves the weights of layers that the file has in half precision as they are, and converts each
   * when its layer is computed: less memory, more time. For processors. Default false.
   */
  readonly lateWeights?: boolean;
  /**
   * Values of another graph in place of inputs, by the inputs' names: so that networks compose into
   * one graph, through which a loss can be differentiated.
   */
  readonly values?: Readonly<Record<string, Value>>;
  /** Weights, by checkpoint name, that become inputs of the graph: what training changes. */
  readonly parameter?: (name: string) => boolean;
  /**
   * May replace the output `y` of a layer for its input `x`: adapters such as LoRA inside the
   * graph. Called for every linear layer and convolution, in the order of the graph.
   */
  readonly adapt?: (layer: AdaptableLayer, x: Value, y: Value) => Value;
}
