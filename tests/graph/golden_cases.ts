/** Reads tests/golden/graph_ops.json and builds its cases. */
import {
  constant,
  type DType,
  grad,
  input,
  type Lowering,
  lowering,
  toOnnx,
  type Value,
} from "../../graph/mod.ts";
import type { NumericArray } from "../../graph/dtype.ts";
import golden from "../golden/graph_ops.json" with { type: "json" };
import { builds } from "./op_cases.ts";

/** A tensor in the golden file. */
export interface GoldenTensor {
  dtype: DType;
  shape: number[];
  data: number[];
}

/** What PyTorch computed for one case. */
export interface GoldenCase {
  inputs: GoldenTensor[];
  outputs: GoldenTensor[];
  cotangents?: GoldenTensor[];
  gradients?: GoldenTensor[];
}

/** All golden cases by name. */
export const goldenCases = golden.cases as unknown as Readonly<Record<string, GoldenCase>>;

/** The elements as the typed array that their dtype is kept in. */
export function elements({ dtype, data }: GoldenTensor): NumericArray {
  if (dtype === "int64") return BigInt64Array.from(data, BigInt);
  return dtype === "bool" ? Uint8Array.from(data) : Float32Array.from(data);
}

/** A case as graph values: fed inputs, results, and gradients where the golden has them. */
export function buildCase(name: string, target: Lowering): {
  inputs: Value[];
  outputs: Value[];
  gradients: Value[];
} {
  const recorded = goldenCases[name] as GoldenCase;
  const inputs = recorded.inputs.map(({ dtype, shape }, i) => input(`input${i}`, dtype, shape));
  return lowering(target, () => {
    const built = builds[name]!(...inputs);
    const outputs = "type" in built ? [built] : [...built];
    const cotangents = recorded.cotangents?.map((g) => constant(elements(g), g.shape));
    const wrt = inputs.filter((value) => value.dtype === "float32");
    return { inputs, outputs, gradients: cotangents ? grad(outputs, wrt, cotangents) : [] };
  });
}

/** A case as a model with results output0, ... and gradient0, ... */
export function caseModel(name: string, target: Lowering): Uint8Array {
  const { inputs, outputs, gradients } = buildCase(name, target);
  const named = [
    ...outputs.map((value, i) => [`output${i}`, value] as const),
    ...gradients.map((value, i) => [`gradient${i}`, value] as const),
  ];
  return toOnnx({ inputs, outputs: Object.fromEntries(named) }).bytes;
}
