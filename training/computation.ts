import type { Session } from "../ffi/session.ts";
import { Tensor, type TypedArray } from "../ffi/mod.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import type { Value } from "../graph/value.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { inputName } from "./training_step.ts";

/** What is fed, by the names of the graph's inputs. */
export type Feeds = Readonly<Record<string, TypedArray>>;

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
    const graph = { name: "computation", inputs, outputs, parameters: [], unexpected: [] };
    return new Computation<K>(builder, await builder.build(graph), inputs);
  }

  /**
   * Computes all outputs, as copies; floating-point inputs and outputs are Float32Array. What `feeds`
   * lacks is taken from `parameters`, the trained weights of a graph by name.
   *
   * @throws {TypeError} for an input of which there is no array, or one of another kind.
   * @throws {RangeError} for an array of another size.
   */
  async run(
    feeds: Feeds,
    parameters?: ReadonlyMap<string, Float32Array>,
  ): Promise<Record<K, Float32Array>> {
    const tensors: Record<string, Tensor> = {};
    try {
      for (const value of this.inputs) {
        const name = inputName(value), data = feeds[name] ?? parameters?.get(name);
        tensors[name] = Tensor.from(
          this.builder.runtime,
          value.dtype as "float32",
          data as Float32Array<ArrayBuffer>,
          value.shape as number[],
        );
      }
      const results = await this.session.run(tensors);
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => {
          using result = tensor;
          return [name, (result.data as Float32Array).slice()];
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
