/**
 * A weight in another shape is the same bytes. Written as a Reshape node, ONNX Runtime would fold it into a
 * copy in memory; and it would read the file to do so, although the weight may be supplied from memory.
 */
import type { InitializerNode, Value } from "./value.ts";

const VIEWS: ReadonlySet<string> = new Set(["Reshape", "Unsqueeze", "Squeeze"]);

/** The weight that a value is, perhaps in another shape; undefined for any other value. */
export function weightBehind({ node }: Value): InitializerNode | undefined {
  if (node.kind === "initializer") return node;
  const source = node.kind === "op" && VIEWS.has(node.op.type) ? node.inputs[0] : undefined;
  return source && weightBehind(source);
}
