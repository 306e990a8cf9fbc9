import assert from "node:assert/strict";
import { devicesOf, providersOf } from "../../cli/provider_flags.ts";
import { cpu, cuda, openvino, tensorrt } from "../../mod.ts";

Deno.test("providersOf reads names, a device, and options for the first provider", () => {
  assert.deepEqual(providersOf({}), [cpu()]);
  assert.deepEqual(providersOf({ provider: ["tensorrt,cuda", "cpu"], device: "1" }), [
    tensorrt({ deviceId: 1 }),
    cuda({ deviceId: 1 }),
    cpu(),
  ]);
  const load = `load_config={"CPU":{"A":"b=c"}}`;
  assert.deepEqual(providersOf({ provider: ["openvino", "cpu"], "provider-option": [load] }), [
    openvino({ extra: { load_config: `{"CPU":{"A":"b=c"}}` } }),
    cpu(),
  ]);
});

Deno.test("providersOf refuses what no provider would take", () => {
  const refused = (flags: Parameters<typeof providersOf>[0], why: RegExp) =>
    assert.throws(() => providersOf(flags), { name: "UsageError", message: why });
  refused({ provider: ["gpu"] }, /takes cpu, cuda, .*; got "gpu"/);
  refused({ device: "0" }, /--device numbers GPUs/);
  refused({ provider: ["webgpu"], device: "1" }, /--device numbers GPUs/);
  refused({ provider: ["cuda"], device: "0,1" }, /Only generate draws on several devices/);
  refused({ provider: ["cuda"], device: "GPU" }, /takes the number of a GPU; got "GPU"/);
  refused({ "provider-option": ["a=b"] }, /the processor has no options/);
  refused({ provider: ["cuda"], "provider-option": ["use_tf32"] }, /NAME=VALUE; got "use_tf32"/);
});

Deno.test("devicesOf has providers for each GPU, once", () => {
  assert.deepEqual(devicesOf({}), [[cpu()]]);
  assert.deepEqual(devicesOf({ provider: ["cuda", "cpu"], device: "2,0" }), [
    [cuda({ deviceId: 2 }), cpu()],
    [cuda({ deviceId: 0 }), cpu()],
  ]);
  assert.throws(() => devicesOf({ provider: ["cuda"], device: "1,1" }), /names each GPU once/);
});
