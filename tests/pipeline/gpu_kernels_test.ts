/** Whether kernels for GPUs are used is asked of the provider: without one the graphs stay as they are. */
import assert from "node:assert/strict";
import { ProviderError } from "../../ffi/errors.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { apply, type OpDef } from "../../graph/op.ts";
import { reachable } from "../../graph/reachable.ts";
import { expanded } from "../../graph/rewrite.ts";
import { input, type Value } from "../../graph/value.ts";
import { cpu, cuda, type OpenOptions, StableDiffusion } from "../../mod.ts";
import { gpuKernelFault, kernelProbe } from "../../pipeline/gpu_kernels.ts";
import { unrecorded, withChannelsLast } from "../../pipeline/provider_forms.ts";

const runtime = openRuntime();

Deno.test("the probe has every kernel for GPUs, and a provider without them is found out", async () => {
  const probe = kernelProbe();
  const types = reachable(Object.values(probe.outputs)).map(({ op }) => op.type);
  const kernels = ["BiasAdd", "BiasSplitGelu", "GroupNorm", "SkipGroupNorm"];
  kernels.push("SkipLayerNormalization");
  assert.deepEqual(types.filter((type) => type !== "Cast").sort(), kernels);
  assert.match((await gpuKernelFault(runtime, cpu(), probe))!, /NOT_IMPLEMENTED.*GroupNorm/s);
  const plain = { ...probe, outputs: expanded(probe.outputs) };
  assert.equal(await gpuKernelFault(runtime, cpu(), plain), undefined);
});

Deno.test("a kernel that computes something else is found out", async () => {
  const wrong = (
    type: string,
    expansion: (x: Value) => Value,
  ): OpDef<readonly [Value], object> => ({
    type,
    infer: ([x]) => [x],
    expansion: ([x]) => [expansion(x)],
    vjp: "none",
  });
  const x = input("x", "float32", [4]);
  for (const type of ["Neg", "Log"]) { // the second is no number where x is negative
    const y = apply(wrong(type, (value) => value), [x], {});
    assert.match(
      (await gpuKernelFault(runtime, cpu(), { inputs: [x], outputs: { y } }))!,
      /off by/,
    );
  }
});

Deno.test("CUDA's convolutions have channels last, unless the user says otherwise", () => {
  assert.equal(withChannelsLast(cuda()).options.prefer_nhwc, "1");
  assert.equal(withChannelsLast(cuda({ channelsLast: false })).options.prefer_nhwc, "0");
  assert.deepEqual(withChannelsLast(cpu()), cpu());
  assert.deepEqual(unrecorded(cuda({ cudaGraph: true, deviceId: 1 })), cuda({ deviceId: 1 }));
});

Deno.test("where CUDA does not start, float16 draws what it draws on the processor", async () => {
  await assert.rejects(() => gpuKernelFault(runtime, cuda()), ProviderError);
  const warnings: string[] = [];
  const draw = async (options: OpenOptions) => {
    await using sd = await StableDiffusion.open(undefined, { precision: "float16", ...options });
    return await sd.generate({ prompt: "a red seven", seed: 1, steps: 2 });
  };
  const got = await draw({
    providers: [cuda(), cpu()],
    deviceLoop: false,
    onWarning: (message) => void warnings.push(message),
  });
  assert.deepEqual(got.data, (await draw({ deviceLoop: false })).data);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /CUDAExecutionProvider/);
});
