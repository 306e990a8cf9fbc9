import type { DType } from "../graph/dtype.ts";
import { formatShape, sameShape, type Shape } from "../graph/shape.ts";
import { input, type Value } from "../graph/value.ts";
import type { ModelOptions } from "./graph_model.ts";

/** The inputs of one network, in order; `ModelOptions.values` may take the place of some. */
export class GraphInputs {
  readonly #values: Readonly<Record<string, Value>>;
  readonly #taken = new Set<string>();
  readonly #inputs: Value[] = [];

  /** Takes the values from the network's options. */
  constructor(options: ModelOptions) {
    this.#values = options.values ?? {};
  }

  /** The input `name`, or the value given for it; throws RangeError for one of another type. */
  take(name: string, dtype: DType, shape: Shape): Value {
    this.#taken.add(name);
    const given = this.#values[name];
    if (given === undefined) {
      const value = input(name, dtype, shape);
      this.#inputs.push(value);
      return value;
    }
    if (given.dtype !== dtype || !sameShape(given.shape, shape)) {
      throw new RangeError(
        `Cannot use a value for ${name}: got ${given.dtype} ${formatShape(given.shape)}, ` +
          `expected ${dtype} ${formatShape(shape)}.`,
      );
    }
    return given;
  }

  /** The inputs that the graph has; throws RangeError for a value that nothing has taken. */
  list(): readonly Value[] {
    const unused = Object.keys(this.#values).filter((name) => !this.#taken.has(name));
    if (unused.length === 0) return this.#inputs;
    throw new RangeError(
      `Cannot use values for ${unused.join(", ")}: ` +
        `the network's inputs are ${[...this.#taken].join(", ")}.`,
    );
  }
}
