/** A graph made again with some of its operations replaced. */
import { applyAll } from "./op.ts";
import { reachable } from "./reachable.ts";
import { scopeAt } from "./scope.ts";
import type { OpNode, Value } from "./value.ts";

/**
 * What a node becomes: its results, made from `again.of(...)` of values of the old graph; undefined
 * where the rule has nothing to say.
 */
export type Rule = (node: OpNode, again: Rewriting) => readonly Value[] | undefined;

/** The graph while it is made again. */
export class Rewriting {
  readonly #users = new Map<Value, OpNode[]>();
  readonly #results: ReadonlySet<Value>;
  readonly #made = new Map<Value, Value>();

  /** Of the nodes in their order, and the graph's results. */
  constructor(readonly nodes: readonly OpNode[], results: readonly Value[]) {
    this.#results = new Set(results);
    for (const node of nodes) {
      for (const value of new Set(node.inputs)) {
        if (!value) continue;
        const users = this.#users.get(value) ?? [];
        users.push(node);
        this.#users.set(value, users);
      }
    }
  }

  /** What an old value has become; leaves stay what they are. */
  of(value: Value): Value {
    return this.#made.get(value) ?? value;
  }

  /** The old nodes that use an old value. */
  users(value: Value): readonly OpNode[] {
    return this.#users.get(value) ?? [];
  }

  /** Whether nothing but `user` sees an old value. */
  isOnlyFor(value: Value, user: OpNode): boolean {
    const users = this.users(value);
    return users.length === 1 && users[0] === user && !this.#results.has(value);
  }

  /** Says what a later node's result is, which then is not made. */
  set(value: Value, made: Value): void {
    this.#made.set(value, made);
  }

  /** Makes the nodes again, each by the first rule that takes it. */
  run(rules: readonly Rule[]): void {
    for (const node of this.nodes) {
      if (node.outputs.every((value) => this.#made.has(value))) continue;
      const outputs = scopeAt(node.scope, () => this.#replaced(node, rules) ?? this.#copy(node));
      node.outputs.forEach((value, i) => this.#made.set(value, outputs[i]!));
    }
  }

  #replaced(node: OpNode, rules: readonly Rule[]): readonly Value[] | undefined {
    for (const rule of rules) {
      const outputs = rule(node, this);
      if (outputs) return outputs;
    }
    return undefined;
  }

  #copy(node: OpNode): readonly Value[] {
    const inputs = node.inputs.map((value) => value && this.of(value));
    const isSame = inputs.every((value, i) => value === node.inputs[i]);
    return isSame ? node.outputs : applyAll(node.op, inputs, node.attributes);
  }
}

/** The graph of `outputs` with `rules` applied to its nodes, in their order. */
export function rewrite(
  outputs: Readonly<Record<string, Value>>,
  rules: readonly Rule[],
): Record<string, Value> {
  const results = Object.values(outputs);
  const again = new Rewriting(reachable(results), results);
  again.run(rules);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, again.of(value)]),
  );
}

/** The graph with every operation that has an expansion expanded. */
export function expanded(outputs: Readonly<Record<string, Value>>): Record<string, Value> {
  return rewrite(outputs, [(node, again) => {
    const inputs = node.inputs.map((value) => value && again.of(value));
    return node.op.expansion?.(inputs, node.attributes);
  }]);
}
