/** Contrib operators, which are ONNX Runtime's own, in the standard's. */
import { lowering } from "./lowering.ts";
import { expanded } from "./rewrite.ts";
import type { Value } from "./value.ts";

/**
 * The same graph without contrib operators, for execution providers that have none of them: each
 * becomes the operators that it stands for. Those that say nothing of these (products of quantized
 * weights) stay. What does not come after one stays the same value, and so do inputs and weights.
 */
export function withoutContrib(outputs: Readonly<Record<string, Value>>): Record<string, Value> {
  return lowering("primitive", () => expanded(outputs));
}
