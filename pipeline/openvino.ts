/**
 * What OpenVINO asks for: it compiles a whole graph by itself, and has its own options.
 *
 * @module
 */

import type { Provider } from "../ffi/providers.ts";
import { withoutContrib } from "../graph/expand.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { slice } from "../graph/ops/join.ts";
import { reshape } from "../graph/ops/movement.ts";
import { withStoredWeights } from "../graph/stored_weights.ts";
import type { Value } from "../graph/value.ts";
import type { GraphModel } from "../models/graph_model.ts";
import { OptionError } from "./options.ts";

/** OpenVINO's configuration by device. */
type Configuration = Record<string, Record<string, string>>;

const HINT = "INFERENCE_PRECISION_HINT";

/** Whether it is among the providers. */
export function usesOpenvino(providers: readonly Provider[]): boolean {
  return providers.some(({ via }) => via === "openvino");
}

/**
 * A graph for it: without ONNX Runtime's own operators, which it does not know, and with weights in
 * the types that their files have, which it maps and converts.
 */
export function openvinoGraph(model: GraphModel): GraphModel {
  const outputs = withStoredWeights(withoutContrib(model.outputs));
  return { ...model, outputs: usingAll(model.inputs, outputs) };
}

/**
 * Outputs that depend on every input. An input that is declared and not used is left out by OpenVINO,
 * and its provider for ONNX Runtime (1.24) then feeds it in the place of another.
 */
function usingAll(inputs: readonly Value[], outputs: GraphModel["outputs"]): GraphModel["outputs"] {
  const used = new Set(leaves(reachable(Object.values(outputs))));
  const [name, first] = Object.entries(outputs)[0]!;
  const tied = inputs.filter((input) => !used.has(input)).reduce(dependingOn, first);
  return tied === first ? outputs : { ...outputs, [name]: tied };
}

/** `x` and nothing times the first element of `other`; it takes no reshaping to a scalar. */
function dependingOn(x: Value, other: Value): Value {
  const zeros = other.shape.map(() => 0), ones = other.shape.map(() => 1);
  const first = slice(other, zeros, ones, [...zeros.keys()], ones);
  return add(x, mul(cast(reshape(first, x.shape.map(() => 1)), x.dtype), 0));
}

/**
 * A provider that computes in bfloat16 where it is OpenVINO, and with so many threads where it has
 * its own. Other providers stay as they are.
 *
 * @throws {OptionError} for an option `load_config` that is not JSON.
 */
export function openvinoOptions(
  provider: Provider,
  { bfloat16 = false, threads }: { readonly bfloat16?: boolean; readonly threads?: number },
): Provider {
  if (provider.via !== "openvino") return provider;
  const options = {
    ...(threads !== undefined && { num_of_threads: `${threads}` }),
    ...provider.options,
  };
  if (!bfloat16) return { ...provider, options };
  const config = configurationOf(provider);
  for (const device of devicesOf(provider)) {
    config[device] = { [HINT]: "bf16", ...config[device] };
  }
  return { ...provider, options: { ...options, load_config: JSON.stringify(config) } };
}

/** Whether the provider's own options ask for bfloat16. @throws {OptionError} as above. */
export function asksForBfloat16(provider: Provider): boolean {
  if (provider.via !== "openvino") return false;
  const config = configurationOf(provider);
  return devicesOf(provider).some((device) => config[device]?.[HINT] === "bf16");
}

function configurationOf({ options: { load_config: text = "{}" } }: Provider): Configuration {
  try {
    return JSON.parse(text) as Configuration;
  } catch (cause) {
    throw new OptionError(
      "providers",
      `Cannot open: OpenVINO's load_config takes JSON, {"CPU":{"NAME":"VALUE"}}; got ${text}.`,
      { cause },
    );
  }
}

/** "CPU", or those of "AUTO:GPU.0,CPU". */
function devicesOf({ options: { device_type: devices = "CPU" } }: Provider): string[] {
  const names = devices.split(/[:,]/).map((name) => name.replace(/\..*/, ""));
  return names.filter((name) => !["AUTO", "HETERO", "MULTI"].includes(name));
}
