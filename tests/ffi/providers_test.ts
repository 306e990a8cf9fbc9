import assert from "node:assert/strict";
import type { OrtApi } from "../../ffi/api.ts";
import { cpu, cuda, named, openvino, plugin, type Provider, webgpu } from "../../ffi/providers.ts";
import { Runtime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { FakeOrt } from "../fakes/fake_ort.ts";
import { floats, model, ort } from "./fixtures.ts";

const MODEL = new Uint8Array([1]);
const AT_REST = { Env: 1, MemoryInfo: 1 };

/** Creates a session with the providers and tells which calls it took. */
function create(providers: readonly Provider[], fake = new FakeOrt()) {
  const runtime = new Runtime(fake.library);
  const session = runtime.createSession(MODEL, { providers });
  const textsOf = (name: keyof OrtApi) => fake.texts[fake.calls.indexOf(name)];
  return { fake, session, textsOf, ...session };
}

Deno.test("providers are plain data that can be printed and sent", () => {
  const all = [cpu(), cuda({ deviceId: 1 }), webgpu(), openvino({ device: "GPU" }), named("QNN")];
  assert.deepEqual(structuredClone(all), all);
});

Deno.test("cuda() names its options as the provider does", () => {
  const { options } = cuda({
    deviceId: 1,
    memoryLimitBytes: 2 ** 33,
    arenaExtend: "sameAsRequested",
    convolutionSearch: "heuristic",
    convolutionMaxWorkspace: true,
    channelsLast: false,
    tf32: true,
    cudaGraph: false,
    extra: { sdpa_kernel: "16", use_tf32: "0" },
  });
  assert.deepEqual(options, {
    device_id: "1",
    gpu_mem_limit: "8589934592",
    arena_extend_strategy: "kSameAsRequested",
    cudnn_conv_algo_search: "HEURISTIC",
    cudnn_conv_use_max_workspace: "1",
    prefer_nhwc: "0",
    use_tf32: "0",
    enable_cuda_graph: "0",
    sdpa_kernel: "16",
  });
  assert.deepEqual(cuda().options, {});
});

Deno.test("openvino() passes OpenVINO's configuration as inline JSON", () => {
  const config = { CPU: { INFERENCE_PRECISION_HINT: "bf16" } };
  const { options } = openvino({ device: "CPU", threads: 2, config });
  assert.equal(options["device_type"], "CPU");
  assert.equal(options["num_of_threads"], "2");
  assert.deepEqual(JSON.parse(options["load_config"] ?? ""), config);
});

Deno.test("cuda() is appended by its own functions, and its options are released", () => {
  const { fake, session, textsOf } = create([cuda({ deviceId: 3, tf32: false }), cpu()]);
  assert.deepEqual(textsOf("UpdateCUDAProviderOptions"), ["device_id", "use_tf32", "3", "0"]);
  const order = ["Create", "Update", "Release"].map((verb) =>
    fake.calls.indexOf(`${verb}CUDAProviderOptions`)
  );
  const append = fake.calls.indexOf("SessionOptionsAppendExecutionProvider_CUDA_V2");
  assert.ok(order[0]! < order[1]! && order[1]! < append && append < order[2]!);
  session.dispose();
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("openvino() and named providers are appended with keys and values", () => {
  const { textsOf } = create([openvino({ device: "NPU" }), webgpu({ extra: { a: "b" } }), cpu()]);
  const expected = ["device_type", "NPU"];
  assert.deepEqual(textsOf("SessionOptionsAppendExecutionProvider_OpenVINO_V2"), expected);
  assert.deepEqual(textsOf("SessionOptionsAppendExecutionProvider"), ["WebGPU", "a", "b"]);
});

Deno.test("openvino() on a library without it says which package has it", {
  // Somebody who has installed it runs the other tests with it.
  ignore: Deno.build.os !== "linux" || ort().providers().includes(openvino().name),
}, () => {
  assert.throws(() => ort().createSession(model("linear"), { providers: [openvino()] }), {
    name: "ProviderError",
    reason:
      /^This ONNX Runtime came without .*openvino\.so: take .*package onnxruntime-openvino\.$/,
  });
});

Deno.test("initializers can be put into the graph, all at once", () => {
  const fake = new FakeOrt(), runtime = new Runtime(fake.library);
  const tensors = ["v", "w"].map((name) =>
    [name, Tensor.from(runtime, "float32", Float32Array.of(1, 2), [2])] as const
  );
  const options = { initializers: new Map(tensors), initializersInGraph: true };
  const session = runtime.createSession(MODEL, options);
  const names = fake.texts[fake.calls.indexOf("AddExternalInitializers")];
  assert.deepEqual(names?.slice(0, 2), ["v", "w"]);
  assert.ok(!fake.calls.includes("AddInitializer"));
  for (const [, tensor] of tensors) tensor.dispose();
  assert.equal(fake.counts.Value, 2, "the session keeps them");
  session.dispose();
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("without cpu() in the list the CPU may not take operators silently", () => {
  const key = "session.disable_cpu_ep_fallback";
  assert.deepEqual(create([cuda()]).textsOf("AddSessionConfigEntry"), [key, "1"]);
  assert.equal(create([cuda(), cpu()]).textsOf("AddSessionConfigEntry"), undefined);
  assert.equal(create([cpu()]).textsOf("AddSessionConfigEntry"), undefined);
});

Deno.test("a provider that fails without a fallback is a ProviderError, and nothing leaks", () => {
  const fake = new FakeOrt(), runtime = new Runtime(fake.library);
  fake.fail("SessionOptionsAppendExecutionProvider_CUDA_V2", 1, "no GPU");
  const expected = { name: "ProviderError", provider: "CUDAExecutionProvider", reason: "no GPU." };
  assert.throws(() => runtime.createSession(MODEL, { providers: [cuda()] }), expected);
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("a provider that fails with a fallback is skipped, and the session says so", () => {
  const fake = new FakeOrt();
  fake.fail("CreateCUDAProviderOptions", 1, "no CUDA");
  const { session } = create([cuda(), webgpu(), cpu()], fake);
  assert.deepEqual(session.skipped.map(({ provider, reason }) => [provider, reason]), [
    ["CUDAExecutionProvider", "no CUDA."],
  ]);
  session.dispose();
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("a provider that fails only with the session is given up for its fallback", async () => {
  const fake = new FakeOrt(), runtime = new Runtime(fake.library);
  let failures = 1;
  const { CreateSessionFromArray } = runtime.native.api;
  const failOnce: typeof CreateSessionFromArray = (...args) => {
    if (failures-- <= 0) fake.heal();
    return CreateSessionFromArray(...args);
  };
  fake.fail("CreateSessionFromArray", 1, "no adapter");
  Object.assign(runtime.native.api, { CreateSessionFromArray: failOnce });
  using session = runtime.createSession(MODEL, { providers: [webgpu(), cpu()] });
  assert.deepEqual(session.skipped.map(({ provider }) => provider), ["WebGPU"]);
  session.dispose();
  fake.fail("CreateSessionFromArray", 7, "not a model");
  const broken = runtime.loadSession(MODEL, { providers: [webgpu(), cpu()] });
  await assert.rejects(broken, { name: "OrtError", code: "INVALID_PROTOBUF" });
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("operators that a provider does not know are its error", () => {
  const fake = new FakeOrt(), runtime = new Runtime(fake.library);
  const said = "This session contains graph nodes that are assigned to the default CPU EP, but " +
    "fallback to CPU EP has been explicitly disabled by the user.";
  fake.fail("CreateSessionFromArray", 1, said);
  assert.throws(() => runtime.createSession(MODEL, { providers: [openvino()] }), {
    name: "ProviderError",
    provider: "OpenVINOExecutionProvider",
    reason: "it does not know all operators of this graph.",
  });
  fake.fail(
    "CreateSessionFromArray",
    1,
    "[OpenVINO-EP] Exception while Reading network: Check 'a' failed at scatter_nd.cpp:25:\nWhile " +
      "validating ONNX node '<Node(ScatterND): a/ScatterND>':\nUnsupported: add\nCheck 'a' failed at " +
      "scatter_nd.cpp:25:\nWhile validating ONNX node '<Node(Gather): b>':\nUnsupported: b\n\n",
  );
  assert.throws(() => runtime.createSession(MODEL, { providers: [openvino()] }), {
    reason: "it does not take the operator ScatterND: Unsupported: add.",
  });
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("ProviderError names the library to preload that did not load", () => {
  const provider = cuda({ preload: ["/nowhere/libcudart.so.13"] });
  assert.throws(
    () => ort().createSession(model("add"), { providers: [provider] }),
    /CUDAExecutionProvider: its dependency \/nowhere\/libcudart.so.13 did not load/,
  );
});

Deno.test("a plugin whose library is not there is a ProviderError", () => {
  const provider = plugin({ name: "Absent", library: "/nowhere/libabsent.so" });
  assert.throws(
    () => ort().createSession(model("add"), { providers: [provider] }),
    { name: "ProviderError", provider: "Absent", reason: /\/nowhere\/libabsent.so/ },
  );
});

Deno.test("a name that ONNX Runtime does not know is a ProviderError", () => {
  assert.throws(
    () => ort().createSession(model("add"), { providers: [named("Nope")] }),
    { name: "ProviderError", provider: "Nope", reason: /Unknown provider name 'Nope'/ },
  );
});

Deno.test("the CPU takes over from a real provider that fails, and the session says so", () => {
  using session = ort().createSession(model("linear"), { providers: [named("Nope"), cpu()] });
  assert.equal(session.skipped.length, 1);
  assert.deepEqual([...session.runSync({ x: floats([1, 2, 3], [1, 3]) })["y"]?.data ?? []], [
    26,
    42,
  ]);
});

Deno.test("Runtime.devices() lists the CPU", () => {
  const cpus = ort().devices().filter(({ provider }) => provider === "CPUExecutionProvider");
  assert.equal(cpus[0]?.hardware, "cpu");
});
