import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import type { Value } from "../graph/value.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import type { Batch } from "./trainer.ts";

/** Computes values of a graph from arrays for its inputs, parameters included. */
export class Evaluator<K extends string> implements Disposable {
  readonly #builder: SessionBuilder;
  readonly #session: Session;

  private constructor(builder: SessionBuilder, session: Session) {
    this.#builder = builder;
    this.#session = session;
  }

  /** Builds the session that computes `outputs`. */
  static async create<K extends string>(
    builder: SessionBuilder,
    outputs: Readonly<Record<K, Value>>,
  ): Promise<Evaluator<K>> {
    const inputs = leaves(reachable(Object.values<Value>(outputs)))
      .filter(({ node }) => node.kind === "input");
    const model = { name: "evaluation", inputs, outputs, parameters: [], unexpected: [] };
    return new Evaluator<K>(builder, await builder.build(model));
  }

  /** The outputs as copies. Throws TypeError for inputs that are missing, RangeError for sizes. */
  async run(feeds: Batch, parameters?: ReadonlyMap<string, Float32Array>): Promise<
    Record<K, Float32Array>
  > {
    const tensors = this.#session.inputs.map(({ name, dtype, shape }) => {
      const data = (feeds[name] ?? parameters?.get(name)) as Float32Array;
      const at = shape as number[];
      return [name, Tensor.from(this.#builder.runtime, dtype as "float32", data, at)] as const;
    });
    const outputs = await this.#session.run(Object.fromEntries(tensors));
    const copies = Object.entries(outputs).map(([name, tensor]) => {
      using result = tensor;
      return [name, (result.data as Float32Array).slice()] as const;
    });
    for (const [, tensor] of tensors) tensor.dispose();
    return Object.fromEntries(copies) as Record<K, Float32Array>;
  }

  /** Releases the session. */
  [Symbol.dispose](): void {
    this.#session.dispose();
  }
}
