import assert from "node:assert/strict";
import { providersOf } from "../../cli/provider_flags.ts";
import { cpu, cuda, openvino, tensorrt } from "../../mod.ts";

Deno.test("providersOf reads names, a device, and options for the first provider", () => {
  assert.deepEqual(providersOf({}), [cpu()]);
  assert.deepEqual(providersOf({ provider: ["tensorrt,cuda", "cpu"], device: 1n }), [
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
  refused({ device: 0n }, /--device numbers GPUs/);
  refused({ provider: ["webgpu"], device: 1n }, /--device numbers GPUs/);
  refused({ "provider-option": ["a=b"] }, /the processor has no options/);
  refused({ provider: ["cuda"], "provider-option": ["use_tf32"] }, /NAME=VALUE; got "use_tf32"/);
});
