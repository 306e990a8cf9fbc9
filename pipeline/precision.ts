/**
 * How many bits the large networks' weights have.
 *
 * @module
 */

import { join } from "node:path";
import { ownCacheFolder } from "../ffi/library_folders.ts";
import type { Provider } from "../ffi/providers.ts";
import type { WeightBits } from "../weights/quantize.ts";
import type { DerivedOptions } from "./derived_weights.ts";
import { asksForBfloat16 } from "./openvino.ts";
import { OptionError } from "./options.ts";

/**
 * - `float32`: as the networks were trained, or at most rounded by the file.
 * - `float16`: half the memory, and for GPUs a fraction of the time; what overflows when a picture is
 *   decoded is decoded again in float32. With CUDA networks are made of its fused operators, once a small
 *   graph of them has given on the device what it gives on the processor. The CPU gains nothing: it computes in float32 inside.
 * - `bfloat16`: weights stay as they are, and OpenVINO computes in it: a fraction of the time on
 *   processors that multiply it.
 * - `int8`: bytes, and activations become bytes: a quarter of the memory, and two fifths of the
 *   U-Net's time where the processor multiplies bytes fast.
 * - `int4`: half bytes, activations float32: a sixth of the memory, the time of float32.
 */
export type Precision = "float32" | "float16" | "bfloat16" | "int8" | "int4";

/** All of them. */
export const PRECISIONS: readonly Precision[] = [
  "float32",
  "float16",
  "bfloat16",
  "int8",
  "int4",
];

/** The precision asked for, by itself or in OpenVINO's options; undefined: float32. */
export function precisionOf(
  { precision, providers = [] }: {
    readonly precision?: Precision;
    readonly providers?: readonly Provider[];
  },
): Precision | undefined {
  return precision ?? (providers.some(asksForBfloat16) ? "bfloat16" : undefined);
}

/**
 * How 3x3 convolutions are computed: `direct`, or `winograd`, which multiplies less where there are
 * many pixels and channels, keeps the kernels in a form of four times their size in the cache folder,
 * and rounds a little differently.
 */
export type Convolution = "direct" | "winograd";

/** All of them. */
export const CONVOLUTIONS: readonly Convolution[] = ["direct", "winograd"];

/** @throws {OptionError} for an unknown way, or one that other kernels have no use for. */
export function checkConvolution(
  convolution: string = "direct",
  precision: Precision = "float32",
  providers: readonly Provider[] = [],
): void {
  const refuse = (why: string) => new OptionError("convolution", `Cannot open: ${why}`);
  if (!(CONVOLUTIONS as readonly string[]).includes(convolution)) {
    const all = CONVOLUTIONS.join(", ");
    throw refuse(`convolution must be one of ${all}; got ${convolution}.`);
  }
  if (convolution === "direct") return;
  if (precision !== "float32") {
    throw refuse(`Winograd's convolutions are of float32 weights; got precision ${precision}.`);
  }
  const other = providers.find(({ via }) => via !== "builtin");
  if (other) throw refuse(`${other.name} chooses by itself how it convolves. Leave it out.`);
}

/** @throws {OptionError} for an unknown precision, or one that the provider has no kernels for. */
export function checkPrecision(
  precision: string = "float32",
  providers: readonly Provider[] = [],
): void {
  if (!(PRECISIONS as readonly string[]).includes(precision)) {
    throw new OptionError(
      "precision",
      `Cannot open: precision must be one of ${PRECISIONS.join(", ")}; got ${precision}.`,
    );
  }
  if (precision === "bfloat16") return requireOpenvino(providers);
  const other = providers.find(({ via }) => via !== "builtin");
  if (precision.startsWith("float") || !other) return;
  throw new OptionError(
    "precision",
    `Cannot open with precision ${precision}: only the CPU has kernels for it; got provider ` +
      `${other.name}. Leave one of the two out.`,
  );
}

/** @throws {OptionError} where the first provider is another. */
function requireOpenvino([first]: readonly Provider[]): void {
  if (first?.via === "openvino") return;
  throw new OptionError(
    "precision",
    "Cannot open with precision bfloat16: only OpenVINO computes in it; got provider " +
      `${first?.name ?? "CPUExecutionProvider"}. List openvino first.`,
  );
}

/** What a session builder has to know of a precision. */
export interface Quantizing extends DerivedOptions {
  readonly bits: WeightBits;
  /** Largest magnitude of a byte: see `int8Scales`. */
  readonly limit: number;
}

/** For {@linkcode SessionBuilderOptions}; nothing where weights are not quantized. */
export function quantizing(
  precision: Precision = "float32",
  onProgress?: DerivedOptions["onProgress"],
): { quantizing?: Quantizing } {
  if (!precision.startsWith("int")) return {};
  const bits = precision === "int8" ? 8 : 4, folder = formsFolder("quantized");
  return { quantizing: { bits, limit: int8Limit(), folder, onProgress } };
}

/** For {@linkcode SessionBuilderOptions}; nothing for direct convolutions. */
export function winograd(
  convolution: Convolution = "direct",
  onProgress?: DerivedOptions["onProgress"],
): { winograd?: DerivedOptions } {
  return convolution === "direct"
    ? {}
    : { winograd: { folder: formsFolder("winograd"), onProgress } };
}

/** Where weights in another form are kept. */
function formsFolder(form: string): string | undefined {
  const cache = ownCacheFolder();
  return cache === undefined ? undefined : join(cache, form);
}

/**
 * The largest magnitude of a byte on this machine. Without the instructions for products of bytes, x86
 * adds pairs of them in 16 bits, which 127 would overflow.
 */
function int8Limit(): number {
  return Deno.build.arch !== "x86_64" || multipliesBytes() ? 127 : 64;
}

/** Whether an x86 processor has instructions for products of bytes (VNNI); unknown ones have none. */
export function multipliesBytes(): boolean {
  try {
    return /\bavx(512)?_vnni\b/.test(Deno.readTextFileSync("/proc/cpuinfo"));
  } catch {
    return false;
  }
}
