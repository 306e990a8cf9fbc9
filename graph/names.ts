/** Names of the nodes and tensors of one written graph: readable, unique, the same at every writing. */
import { decodeElements } from "./dtype.ts";
import type { OpNode, Value } from "./value.ts";

/** Hands out names, each once. */
export class NameTable {
  readonly #taken = new Map<string, number>();

  /** Takes a name that must be free; throws RangeError when it is not. */
  reserve(name: string, what: string): string {
    if (!this.#taken.has(name)) return this.unique(name);
    throw new RangeError(
      `Cannot write graph: the ${what} name "${name}" is used twice. Rename one.`,
    );
  }

  /** The name itself, or with the first free of "_2", "_3", ... */
  unique(name: string): string {
    for (let count = (this.#taken.get(name) ?? 0) + 1;; count++) {
      const candidate = count === 1 ? name : `${name}_${count}`;
      if (count > 1 && this.#taken.has(candidate)) continue;
      this.#taken.set(name, count);
      if (count > 1) this.#taken.set(candidate, 1);
      return candidate;
    }
  }
}

/** "down_blocks.0/resnets.1/conv1/Conv" */
export function nodeName(node: OpNode): string {
  return node.scope ? `${node.scope}/${node.op.type}` : node.op.type;
}

/** "constant/int64/2,-1,320" for a few elements, "constant/float32" for more. */
export function constantName(value: Value, data: Uint8Array): string {
  const elements = data.length <= 64 ? decodeElements(data, value.dtype) : [];
  const shown = elements.length <= 8 ? elements.join(",") : "";
  return ["constant", value.dtype, ...(shown ? [shown] : [])].join("/");
}
