/**
 * Graphs of an experiment's own, run.
 *
 * @module
 */

import type { Session } from "../ffi/session.ts";
import { Tensor, type TypedArray } from "../ffi/mod.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import type { Value } from "../graph/value.ts";
import { toFloat32 } from "../weights/read.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";

/** What is fed, by the names of the graph's inputs. */
export type Feeds = Readonly<Record<string, TypedArray>>;

/**
 * All weights of a small network, to be fed: for graphs with gradients, in which ONNX Runtime's
 * optimizers look for weights that are supplied from memory in a file, and fail.
 */
export async function weightFeeds(source: TensorSource): Promise<Feeds> {
  const feeds: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const name of source.names()) {
    const tensor = source.get(name)!;
    if (/^(F|BF)\d+$/.test(tensor.dtype)) feeds[name] = await toFloat32(tensor);
  }
  return feeds;
}

/** Some values of a graph, ready to be computed. Owns native memory: dispose it. */
export class Computation<K extends string = string> implements Disposable {
  private constructor(
    readonly builder: SessionBuilder,
    readonly session: Session,
    readonly inputs: readonly Value[],
  ) {}

  /** Builds the session that computes `outputs`; its inputs are all that they depend on. */
  static async build<K extends string>(
    builder: SessionBuilder,
    outputs: Readonly<Record<K, Value>>,
  ): Promise<Computation<K>> {
    const inputs = leaves(reachable(Object.values<Value>(outputs)))
      .filter(({ node }) => node.kind === "input");
    const graph = { name: "experiment", inputs, outputs, parameters: [], unexpected: [] };
    return new Computation<K>(builder, await builder.build(graph), inputs);
  }

  /** Computes all outputs; floating-point inputs and outputs are Float32Array. */
  async run(feeds: Feeds, signal?: AbortSignal): Promise<Record<K, Float32Array>> {
    const tensors = Object.fromEntries(this.inputs.map((value) => {
      const { name } = value.node as { name: string };
      const shape = value.shape as number[];
      const tensor = Tensor.from(
        this.builder.runtime,
        value.dtype as "float32",
        feeds[name] as Float32Array<ArrayBuffer>,
        shape,
      );
      return [name, tensor];
    }));
    try {
      const results = await this.session.run(tensors, signal ? { signal } : {});
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => {
          const data = (tensor.data as Float32Array).slice();
          tensor[Symbol.dispose]();
          return [name, data];
        }),
      ) as Record<K, Float32Array>;
    } finally {
      for (const tensor of Object.values(tensors)) tensor[Symbol.dispose]();
    }
  }

  /** Releases the session. */
  [Symbol.dispose](): void {
    this.session.dispose();
  }
}
