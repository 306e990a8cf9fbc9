/** Weights that stay in half precision, in their file, until the moment they are used. */
import { cast } from "./ops/elementwise.ts";
import type { DType } from "./dtype.ts";
import { after } from "./recompute.ts";
import type { Value } from "./value.ts";

/**
 * `weight` in another type, but not before `x` is there. A runtime would else convert the weights of
 * a whole network at once, and keep them: for good, since they never change, or until they are used.
 */
export function castAfter(weight: Value, x: Value, dtype: DType): Value {
  return cast(after(weight, x), dtype);
}
