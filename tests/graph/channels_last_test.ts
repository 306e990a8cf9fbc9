/**
 * ONNX Runtime takes away the transposes between kernels whose pictures have their channels last. The CPU
 * has no such kernels; others that it knows as little to see through stand in for them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openRuntime } from "../../ffi/runtime.ts";
import { forGpu } from "../../graph/for_gpu.ts";
import * as op from "../../graph/mod.ts";
import { apply, type OpDef } from "../../graph/op.ts";
import { rewrite, type Rule } from "../../graph/rewrite.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { golden } from "../models/golden.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

type Value = op.Value;
const runtime = openRuntime();

const biasGelu: OpDef<readonly [Value, Value], object> = {
  type: "BiasGelu",
  domain: "com.microsoft",
  infer: ([x]) => [x],
  vjp: "none",
};

/** Stands in for a normalization of `x` [N, h, w, C]. */
function normalization(x: Value): Value {
  return apply(biasGelu, [x, op.constant(new Float32Array(x.shape[3] as number))], {});
}

/** Stands in for a convolution: transposes around a product over the channels, as prefer_nhwc has them. */
function convolution(x: Value, outputs: readonly number[]): Value {
  const [channels, made] = [x.shape[1] as number, outputs[1]!];
  let h = op.transpose(x, [0, 2, 3, 1]);
  if (outputs[2] !== x.shape[2]) h = op.slice(h, [0, 0], [99, 99], [1, 2], [2, 2]);
  const kernel = op.constant(new Float32Array(channels * made).fill(0.1), [channels, made]);
  return op.transpose(op.fusedMatMul(h, kernel), [0, 3, 1, 2]);
}

const standIn: Rule = (node, again) => {
  const [x, , , skip] = node.inputs.map((value) => value && again.of(value));
  if (node.op.type === "Conv") return [convolution(x!, node.outputs[0]!.shape as number[])];
  if (node.op.type === "GroupNorm") return [normalization(x!)];
  if (node.op.type !== "SkipGroupNorm") return undefined;
  const [n, c] = skip!.shape as number[];
  const sum = op.add(x!, skip!.shape.length === 2 ? op.reshape(skip!, [n!, 1, 1, c!]) : skip!);
  return [normalization(sum), sum].slice(0, node.outputs.length);
};

Deno.test("of a U-Net with channels last only the transposes of its input and output are left", async () => {
  const it = await golden("unet_sd1"), config = unetConfig(it.json, it.path);
  const shape = { batch: 2, height: 8, width: 8, sequence: 5 };
  const model = op.lowering("gpu", () => unet(config, it.weights, shape));
  const outputs = rewrite(forGpu(model.outputs), [standIn]);
  const written = op.reachable(Object.values(outputs)).filter(({ op }) => op.type === "Transpose");
  assert.ok(written.length > 100, `${written.length} written`);
  const { bytes, externalRoot } = op.toOnnx({ inputs: model.inputs, outputs });
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "optimized.onnx");
    runtime.createSession(bytes, {
      optimizedModelPath: path,
      logLevel: "fatal",
      config: { "session.model_external_initializers_file_folder_path": externalRoot! },
    }).dispose();
    const { nodes } = op.readOnnx(await Deno.readFile(path));
    assert.equal(nodes.filter(({ type }) => type === "Transpose").length, 2);
  });
});
