import assert from "node:assert/strict";
import { dirname } from "node:path";
import { Tensor } from "../../ffi/tensor.ts";
import { floats, model, modelPath, ort } from "./fixtures.ts";

Deno.test("Session describes inputs, outputs, and initializers that may be fed", () => {
  using session = ort().createSession(model("linear"));
  assert.deepEqual(session.inputs, [{ name: "x", dtype: "float32", shape: ["N", 3] }]);
  assert.deepEqual(session.outputs, [
    { name: "y", dtype: "float32", shape: ["N", 2] },
    { name: "twice", dtype: "float32", shape: ["N", 3] },
  ]);
  assert.deepEqual(session.overridable, [{ name: "b", dtype: "float32", shape: [2] }]);
});

Deno.test("Session reads the model's metadata", () => {
  using session = ort().createSession(model("linear"));
  assert.deepEqual(session.metadata, {
    producer: "make_onnx",
    graph: "main",
    domain: "test",
    description: "x @ w + b",
    version: 7,
    custom: { author: "nobody", note: "größe" },
  });
});

Deno.test("createSession() takes a path as well as bytes", () => {
  using session = ort().createSession(modelPath("add"));
  using left = floats([1, 2, 3, 4], [2, 2]);
  using right = floats([10, 20, 30, 40], [2, 2]);
  using sum = session.runSync({ left, right })["sum"];
  assert.deepEqual([...sum?.data ?? []], [11, 22, 33, 44]);
});

Deno.test("loadSession() loads on another thread", async () => {
  using session = await ort().loadSession(modelPath("linear"));
  using other = await ort().loadSession(model("linear"));
  assert.deepEqual(session.inputs, other.inputs);
});

Deno.test("run and runSync compute the same", async () => {
  using session = ort().createSession(model("linear"));
  using x = floats([1, 2, 3, 4, 5, 6], [2, 3]);
  const now = session.runSync({ x }), later = await session.run({ x });
  for (const results of [now, later]) {
    assert.deepEqual(Object.keys(results), ["y", "twice"]);
    assert.deepEqual(results["y"]?.shape, [2, 2]);
    assert.deepEqual([...results["y"]?.data ?? []], [26, 42, 44, 69]);
    assert.deepEqual([...results["twice"]?.data ?? []], [2, 4, 6, 8, 10, 12]);
    for (const tensor of Object.values(results)) tensor.dispose();
  }
});

Deno.test("run computes only the outputs asked for", async () => {
  using session = ort().createSession(model("linear"));
  using x = floats([1, 2, 3], [1, 3]);
  assert.deepEqual(Object.keys(await session.run({ x }, { outputs: ["twice"] })), ["twice"]);
});

Deno.test("run feeds an initializer that the model lets be replaced", async () => {
  using session = ort().createSession(model("linear"));
  using x = floats([0, 0, 0], [1, 3]);
  using b = floats([-1, -2]);
  const { y } = await session.run({ x, b }, { outputs: ["y"] });
  assert.deepEqual([...y?.data ?? []], [-1, -2]);
});

Deno.test("run writes into the caller's array, no copy", async () => {
  using session = ort().createSession(model("linear"));
  using x = floats([1, 2, 3, 4, 5, 6], [2, 3]);
  const array = new Float32Array(4);
  using y = Tensor.from(ort(), "float32", array, [2, 2]);
  const results = await session.run({ x }, { into: { y } });
  assert.equal(results["y"], y);
  assert.deepEqual([...array], [26, 42, 44, 69]);
  session.runSync({ x }, { into: { y }, outputs: ["y"] });
  assert.equal(y.data, array);
});

Deno.test("run sees what was written to the array since the last run", async () => {
  using session = ort().createSession(model("linear"));
  using x = floats([0, 0, 0], [1, 3]);
  await session.run({ x });
  x.data[0] = 1;
  const { twice } = await session.run({ x });
  assert.deepEqual([...twice?.data ?? []], [2, 0, 0]);
});

Deno.test("run leaves the event loop free and runs of one session take turns", async () => {
  using session = ort().createSession(model("linear"));
  using x = floats([1, 2, 3], [1, 3]);
  const all = await Promise.all(Array.from({ length: 50 }, () => session.run({ x })));
  for (const { y } of all) assert.deepEqual([...y?.data ?? []], [26, 42]);
});

Deno.test("a model that is none, or is not there, is an OrtError with ONNX Runtime's code", async () => {
  const garbage = new Uint8Array([1, 2, 3]);
  assert.throws(() => ort().createSession(garbage), { name: "OrtError", code: "INVALID_PROTOBUF" });
  await assert.rejects(ort().loadSession("/nowhere.onnx"), {
    name: "OrtError",
    code: "NO_SUCHFILE",
  });
  assert.throws(() => ort().createSession(new Uint8Array()), TypeError);
});

Deno.test("a model with an output that is no tensor is refused by name", () => {
  assert.throws(
    () => ort().createSession(model("sequence")),
    /its value y is no tensor; got sequence/,
  );
});

Deno.test("initializers replace the model's weights by the caller's memory", () => {
  const folder = dirname(modelPath("external"));
  const config = { "session.model_external_initializers_file_folder_path": folder };
  using x = floats([1, 2]);
  using plain = ort().createSession(model("external"), { config });
  assert.deepEqual([...plain.runSync({ x })["y"]?.data ?? []], [101, 202]);

  const weight = floats([-1, -2]);
  using session = ort().createSession(model("external"), {
    config,
    initializers: new Map([["w", weight]]),
  });
  weight.dispose();
  assert.deepEqual([...session.runSync({ x })["y"]?.data ?? []], [0, 0]);
});

Deno.test("initializers replace the model's weights in the graph itself", () => {
  const weight = floats([-1, -2]);
  using session = ort().createSession(model("external"), {
    initializers: new Map([["w", weight]]),
    initializersInGraph: true,
  });
  weight.dispose();
  using x = floats([1, 2]);
  assert.deepEqual([...session.runSync({ x })["y"]?.data ?? []], [0, 0]);
});

Deno.test("options reach ONNX Runtime", () => {
  using session = ort().createSession(model("linear"), {
    optimization: "extended",
    intraOpThreads: 1,
    interOpThreads: 1,
    execution: "sequential",
    memoryPattern: false,
    cpuArena: false,
    deterministic: true,
    dimensions: { N: 4 },
    logLevel: "fatal",
    logId: "test",
    config: { "session.intra_op.allow_spinning": "0" },
  });
  assert.deepEqual(session.inputs[0]?.shape, [4, 3]);
});

Deno.test("options refuse what they do not know", () => {
  const create = (options: object) => () => ort().createSession(model("add"), options);
  assert.throws(create({ optimization: "most" }), /optimization most.*disabled, basic/);
  assert.throws(create({ logLevel: "loud" }), TypeError);
  assert.throws(create({ intraOpThreads: -1 }), RangeError);
  assert.throws(create({ interOpThreads: 1.5 }), RangeError);
  assert.throws(create({ dimensions: { N: -1 } }), RangeError);
});

Deno.test("optimizedModelPath writes a model that loads", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/out.onnx`;
    ort().createSession(model("linear"), { optimizedModelPath: path }).dispose();
    using session = ort().createSession(path);
    assert.equal(session.inputs[0]?.name, "x");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("profiling writes a trace of the run", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using session = ort().createSession(model("linear"), { profile: `${folder}/trace` });
    using x = floats([1, 2, 3], [1, 3]);
    await session.run({ x });
    const path = session.endProfiling();
    assert.ok(path.startsWith(`${folder}/trace`));
    const events = JSON.parse(await Deno.readTextFile(path)) as { name: string }[];
    assert.ok(events.some(({ name }) => name.includes("kernel_time")));
    assert.throws(() => session.endProfiling(), TypeError);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("placement tells which provider runs which operator", () => {
  using session = ort().createSession(model("linear"), {
    recordPlacement: true,
    optimization: "disabled",
  });
  const nodes = session.placement.map(({ provider, operator }) => `${operator} on ${provider}`);
  const cpu = "CPUExecutionProvider";
  assert.deepEqual(nodes.sort(), [`Add on ${cpu}`, `Add on ${cpu}`, `MatMul on ${cpu}`]);
  using silent = ort().createSession(model("linear"));
  assert.throws(() => silent.placement, { name: "OrtError" });
});
