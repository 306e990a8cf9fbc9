/**
 * Other ways to build our sessions, to hold against the one that the product has.
 *
 * @module
 */

import type { SessionOptions } from "../../ffi/session_options.ts";
import type { Lowering } from "../../graph/lowering.ts";
import type { Convolution, Precision } from "../../pipeline/precision.ts";

/** What differs from the product. */
export interface Variant {
  /** Session options that replace the product's; config entries are merged. */
  readonly session?: Omit<SessionOptions, "initializers" | "providers">;
  /** The family of nodes that the graph is built from. */
  readonly lowering?: Lowering;
  /** Bits of the weights, or what OpenVINO computes in. */
  readonly precision?: Precision;
  /** What computes; the processor's own provider by default. */
  readonly provider?: "openvino";
  /** How 3x3 convolutions are computed. */
  readonly convolution?: Convolution;
  /** Memory that it may need at 512x512, in GB; 3 by default. */
  readonly gigabytes?: number;
}

const config = (entries: Readonly<Record<string, string>>, gigabytes = 3): Variant => ({
  session: { config: entries },
  gigabytes,
});

/** A list that disables nothing: ONNX Runtime has no optimizer of this name. */
const ALL_OPTIMIZERS = { "optimization.disable_specified_optimizers": "" };
const PREPACKING = { "session.disable_prepacking": "0" };

/** The variants by name; `default` is the product. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  default: {},
  nchwc: config(ALL_OPTIMIZERS, 7),
  prepack: config(PREPACKING, 6),
  "nchwc+prepack": config({ ...ALL_OPTIMIZERS, ...PREPACKING }, 10),
  basic: { session: { optimization: "basic" } },
  extended: { session: { optimization: "extended" } },
  "no-optimization": { session: { optimization: "disabled" } },
  "no-pattern": { session: { memoryPattern: false } },
  "no-arena": { session: { cpuArena: false } },
  "no-spinning": config({ "session.intra_op.allow_spinning": "0" }),
  denormals: config({ "session.set_denormal_as_zero": "1" }),
  standard: { lowering: "standard" },
  primitive: { lowering: "primitive" },
  winograd: { convolution: "winograd" },
  int8: { precision: "int8" },
  int4: { precision: "int4" },
  openvino: { provider: "openvino", gigabytes: 8 },
  "openvino-bf16": { provider: "openvino", precision: "bfloat16", gigabytes: 6 },
};
