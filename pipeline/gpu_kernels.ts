/**
 * Whether a GPU's kernels for several operations at once are there, and compute what they should: asked
 * of the provider itself, with one small graph, before networks are built of them.
 *
 * @module
 */

import { OrtError, ProviderError } from "../ffi/errors.ts";
import { cpu, type Provider } from "../ffi/providers.ts";
import type { Runtime } from "../ffi/runtime.ts";
import { Tensor } from "../ffi/tensor.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { biasAdd, biasSplitGelu } from "../graph/ops/gpu_bias.ts";
import { groupNormLast, skipGroupNorm, skipLayerNorm } from "../graph/ops/gpu_normalization.ts";
import { expanded } from "../graph/rewrite.ts";
import { input, type Value } from "../graph/value.ts";
import { unrecorded, withChannelsLast } from "./provider_forms.ts";

/** A graph to ask with. */
export interface KernelProbe {
  readonly inputs: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Each kernel once, in half precision. */
export function kernelProbe(): KernelProbe {
  const inputs: Value[] = [];
  const take = (name: string, shape: readonly number[], dtype: "float32" | "float16") => {
    const value = input(name, "float32", shape);
    inputs.push(value);
    return cast(value, dtype);
  };
  const picture = take("picture", [2, 4, 6, 64], "float16");
  const [scale, bias] = ["scale", "bias"].map((name) => take(name, [64], "float32"));
  const [time, shift] = [take("time", [2, 64], "float16"), take("shift", [64], "float16")];
  const options = { groups: 32, epsilon: 1e-5, activation: 1 } as const;
  const [sequence, skip] = ["sequence", "skip"].map((name) => take(name, [2, 5, 320], "float16"));
  const [s, t, b] = ["s", "t", "b"].map((name) => take(name, [320], "float16"));
  const [wide, gate] = [take("wide", [2, 5, 2560], "float16"), take("gate", [2560], "float16")];
  const pictures = skipGroupNorm([picture, scale!, bias!, time, shift], { ...options, sum: true });
  const sequences = skipLayerNorm([sequence!, skip!, s!, t!, b], { epsilon: 1e-5, sum: true });
  const results = [
    groupNormLast(picture, scale!, bias!, options),
    ...[...pictures, ...sequences],
    biasSplitGelu(wide, gate),
    biasAdd(sequence!, b!, skip!),
  ];
  const outputs = results.map((value, i) => [`result_${i}`, cast(value, "float32")] as const);
  return { inputs, outputs: Object.fromEntries(outputs) };
}

/** Largest difference that rounding to half precision makes between results of size one. */
const TOLERANCE = 0.02;

/**
 * Runs the probe on the provider's device, and its expansion on the processor.
 *
 * @returns undefined where both agree, else why the kernels are not to be used.
 * @throws {ProviderError} if the provider itself does not work here.
 */
export async function gpuKernelFault(
  runtime: Runtime,
  provider: Provider,
  probe: KernelProbe = kernelProbe(),
): Promise<string | undefined> {
  const expected = await run(runtime, [cpu()], { ...probe, outputs: expanded(probe.outputs) });
  let got: Record<string, Float32Array>;
  try {
    got = await run(runtime, [withChannelsLast(unrecorded(provider))], probe);
  } catch (error) {
    if (isOfGraph(error)) return error.message;
    throw error;
  }
  for (const [name, values] of Object.entries(expected)) {
    const apart = Math.max(
      ...values.map((value, i) => Math.abs(value - got[name]![i]!) / (1 + Math.abs(value))),
    );
    // Written so that NaN is a fault, too.
    if (!(apart <= TOLERANCE)) return `${probe.outputs[name]!.name ?? name} is off by ${apart}`;
  }
  return undefined;
}

/** An error of the graph, not of a provider that does not start at all. */
function isOfGraph(error: unknown): error is Error {
  if (!(error instanceof ProviderError)) return error instanceof OrtError;
  return error.cause instanceof OrtError && error.cause.operation.startsWith("CreateSessionFrom");
}

async function run(
  runtime: Runtime,
  providers: readonly Provider[],
  probe: KernelProbe,
): Promise<Record<string, Float32Array>> {
  using session = await runtime.loadSession(toOnnx(probe).bytes, { providers, logLevel: "fatal" });
  const feeds = Object.fromEntries(probe.inputs.map((value, seed) => {
    const shape = value.shape as number[], count = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + seed + 1)));
    const name = value.node.kind === "input" ? value.node.name : "";
    return [name, Tensor.from(runtime, "float32", data, shape)];
  }));
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => {
        using result = tensor;
        return [name, (result.data as Float32Array).slice()];
      }),
    );
  } finally {
    for (const tensor of Object.values(feeds)) tensor.dispose();
  }
}
