/** Pictures with their channels last, as kernels on GPUs like them. */
import type { Value } from "../value.ts";
import { transpose } from "./movement.ts";

const NHWC = [0, 2, 3, 1], NCHW = [0, 3, 1, 2];

/** [N, C, h, w] to [N, h, w, C]; undoes `channelsFirst`. */
export function channelsLast(x: Value): Value {
  return turnedBack(x, NCHW) ?? transpose(x, NHWC);
}

/** [N, h, w, C] to [N, C, h, w]; undoes `channelsLast`. */
export function channelsFirst(x: Value): Value {
  return turnedBack(x, NHWC) ?? transpose(x, NCHW);
}

/** What was transposed, where `x` is a transpose by `perm`. */
function turnedBack({ node }: Value, perm: readonly number[]): Value | undefined {
  if (node.kind !== "op" || node.op.type !== "Transpose") return undefined;
  return String(node.attributes.perm) === String(perm) ? node.inputs[0] : undefined;
}
