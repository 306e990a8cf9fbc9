import { strict as assert } from "node:assert";
import { openRuntime } from "../../ffi/runtime.ts";
import type { Session } from "../../ffi/session.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { toOnnx } from "../../graph/onnx_write.ts";
import type { GraphModel } from "../../models/graph_model.ts";
import { read, toFloat32 } from "../../weights/read.ts";
import type { Golden } from "./golden.ts";

const runtime = openRuntime();

/** A session of `model`; weights in another precision than the graph's are converted for it. */
export async function session(model: GraphModel): Promise<Session> {
  const { bytes, initializers, externalRoot } = toOnnx(model);
  const supplied = new Map<string, Tensor>();
  for (const { name, type, source } of initializers) {
    const shape = type.shape as number[];
    if ("data" in source) {
      supplied.set(name, Tensor.fromBytes(runtime, type.dtype, source.data, shape));
    } else {
      const data = await toFloat32({ name, shape, dtype: "F16", location: source });
      supplied.set(name, Tensor.from(runtime, "float32", data, shape));
    }
  }
  return runtime.createSession(bytes, {
    intraOpThreads: 1,
    initializers: supplied,
    // Supplied weights reach the kernels, not the optimizers that want to read weights.
    optimization: supplied.size > 0 ? "disabled" : "all",
    ...(externalRoot === undefined ? {} : {
      config: { "session.model_external_initializers_file_folder_path": externalRoot },
    }),
  });
}

/** Runs `model` on the inputs of golden case `name`; `batch` is the size of a named batch. */
export async function runCase(
  model: GraphModel,
  it: Golden,
  name: string,
  batch = 0,
): Promise<Record<string, Float32Array>> {
  using built = await session(model);
  return await runSession(built, it, name, batch);
}

/** Runs a session on the inputs of golden case `name`, by the names of the graph's inputs. */
export async function runSession(
  built: Session,
  { io }: Golden,
  name: string,
  batch = 0,
): Promise<Record<string, Float32Array>> {
  const feeds: Record<string, Tensor> = {};
  for (const info of built.inputs) {
    const stored = io.get(`${name}/${info.name}`);
    assert.ok(stored, `the golden case ${name} has no ${info.name}`);
    const shape = info.shape.map((size) => typeof size === "number" ? size : batch);
    if (info.dtype === "int64") {
      const ids = new BigInt64Array((await read(stored)).slice().buffer);
      feeds[info.name] = Tensor.from(runtime, "int64", ids, shape);
    } else {
      const values = await toFloat32(stored);
      const count = shape.reduce((a, b) => a * b, 1);
      // The goldens give one timestep for the whole batch.
      const filled = values.length === 1 ? new Float32Array(count).fill(values[0]!) : values;
      feeds[info.name] = Tensor.from(runtime, "float32", filled, shape);
    }
  }
  const outputs = await built.run(feeds);
  return Object.fromEntries(
    Object.entries(outputs).map(([key, tensor]) => [key, (tensor.data as Float32Array).slice()]),
  );
}

/** Asserts that `actual` is within `tolerance` of the golden tensor CASE/NAME. */
export async function assertGolden(
  actual: Float32Array | undefined,
  { io }: Golden,
  name: string,
  tolerance = 2e-5,
): Promise<void> {
  const stored = io.get(name);
  assert.ok(stored, `there is no golden ${name}`);
  const expected = await toFloat32(stored);
  assert.equal(actual?.length, expected.length, `${name}: number of elements`);
  let worst = 0;
  expected.forEach((value, i) => worst = Math.max(worst, Math.abs(value - actual[i]!) || 0));
  assert.ok(actual.every(Number.isFinite), `${name}: not finite`);
  assert.ok(worst <= tolerance, `${name}: off by ${worst}, allowed ${tolerance}`);
}
