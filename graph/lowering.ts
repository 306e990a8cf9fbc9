/**
 * Which ONNX nodes a composite operation becomes. `silu`, `gelu`, `quickGelu`, `linear`,
 * `layerNormalization`, `groupNormalization` and `multiHeadAttention` each have one form a target:
 *
 * - `"fused"`: the fastest nodes of ONNX Runtime, contrib operators (com.microsoft) included. The
 *   default: every ONNX Runtime build has them.
 * - `"standard"`: only operators of the ONNX standard, for other programs and `onnx.checker`.
 * - `"primitive"`: matrix products, reductions and elementwise operators only.
 * - `"gpu"`: as `"fused"`, but each normalization one node, which `forGpu` makes kernels for GPUs of.
 *
 * The choice is made where the graph is built: `lowering("standard", () => unet(...))`. All forms
 * have derivatives: a fused node is differentiated through its primitive form.
 */

/** A family of nodes to build composite operations from. */
export type Lowering = "fused" | "standard" | "primitive" | "gpu";

/** The forms of a composite operation; the one for GPUs is `fused` where it is left out. */
export type Forms<T> =
  & Readonly<Record<Exclude<Lowering, "gpu">, () => T>>
  & { readonly gpu?: () => T };

let current: Lowering = "fused";

/** Builds with another lowering; nests, and `build` must be synchronous. */
export function lowering<T>(target: Lowering, build: () => T): T {
  const before = current;
  current = target;
  try {
    return build();
  } finally {
    current = before;
  }
}

/** Builds the form for the lowering in force. */
export function lower<T>(forms: Forms<T>): T {
  return (forms[current] ?? forms.fused)();
}
