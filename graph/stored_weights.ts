/** Weights in the types of their files, converted within the graph. */
import { type DType, dtypes } from "./dtype.ts";
import { cast } from "./ops/elementwise.ts";
import { leaves, reachable } from "./reachable.ts";
import { Rewriting } from "./rewrite.ts";
import { initializer, type Value } from "./value.ts";
import { weightBehind } from "./weight_views.ts";

/**
 * The same graph with weights declared as they are stored, for execution providers that convert them
 * by themselves: then nobody has to hold converted copies for them.
 */
export function withStoredWeights(
  outputs: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const results = Object.values(outputs), nodes = reachable(results);
  const again = new Rewriting(nodes, results);
  for (const value of [...leaves(nodes), ...nodes.flatMap((node) => node.outputs)]) {
    if (weightBehind(value)) again.set(value, asStored(value));
  }
  again.run([]);
  const named = Object.entries(outputs).map(([name, value]) => [name, again.of(value)]);
  return Object.fromEntries(named);
}

/** A weight, or a view of one, in the type that its file has, and the conversion from it. */
export function asStored(value: Value): Value {
  const { name, source } = weightBehind(value)!;
  if ("data" in source || source.storedAs === undefined) return value;
  const { storedAs, scale, ...place } = source;
  // Graphs have no tensors of 8-bit floats: those are converted once, outside.
  if (!isDType(storedAs) || scale !== undefined) return value;
  return cast(initializer(name, storedAs, value.shape as number[], place), value.dtype);
}

const isDType = (name: string): name is DType => (dtypes as readonly string[]).includes(name);
