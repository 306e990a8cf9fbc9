/** The graph that some outputs make: every node they reach. */
import type { OpNode, Value } from "./value.ts";

/**
 * The operations that `outputs` need, in the order in which they were made, which is a topological
 * order. Values in `cut` are taken as given: what makes them is left out.
 */
export function reachable(outputs: readonly Value[], cut?: ReadonlySet<Value>): OpNode[] {
  const found = new Set<OpNode>();
  const pending = [...outputs];
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (value.node.kind !== "op" || found.has(value.node) || cut?.has(value)) continue;
    found.add(value.node);
    for (const used of value.node.inputs) if (used) pending.push(used);
  }
  return [...found].sort((a, b) => a.serial - b.serial);
}

/** Every value that `nodes` use and do not make, in the order of first use. */
export function leaves(nodes: readonly OpNode[]): Value[] {
  const made: ReadonlySet<unknown> = new Set(nodes);
  const used = new Set<Value>();
  for (const node of nodes) for (const value of node.inputs) if (value) used.add(value);
  return [...used].filter((value) => !made.has(value.node));
}
