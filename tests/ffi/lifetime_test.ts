import assert from "node:assert/strict";
import { DisposedError, OrtError } from "../../ffi/errors.ts";
import { Runtime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { FakeOrt } from "../fakes/fake_ort.ts";

const MODEL = new Uint8Array([1]);
const AT_REST = { Env: 1, MemoryInfo: 1 };

function open() {
  const fake = new FakeOrt();
  const runtime = new Runtime(fake.library);
  const x = (n = 2) => Tensor.from(runtime, "float32", new Float32Array(n), [n]);
  return { fake, runtime, x };
}

Deno.test("every type releases what it made", async () => {
  const { fake, runtime, x } = open();
  {
    using session = runtime.createSession(MODEL);
    using input = x();
    using empty = Tensor.empty(runtime, "int64", [3]);
    void session.metadata;
    using output = session.runSync({ x: input })["y"];
    using later = (await session.run({ x: input }))["y"];
    using binding = session.bind();
    binding.bindInput("x", input).bindOutput("y", { name: "Cpu" });
    binding.runSync();
    await binding.run();
    assert.deepEqual(output?.shape, [2]);
    assert.deepEqual(later?.shape, [2]);
    assert.equal(empty.byteLength, 24);
  }
  assert.deepEqual(fake.counts, AT_REST);
  assert.deepEqual(Object.fromEntries(runtime.alive), AT_REST);
});

Deno.test("Runtime releases the environment last", () => {
  const { fake, runtime, x } = open();
  const session = runtime.createSession(MODEL);
  const input = x();
  runtime.native.dispose();
  assert.equal(fake.counts["Env"], 1, "the session still needs it");
  session.dispose();
  assert.equal(fake.counts["Env"], 1, "the tensor still needs it");
  input.dispose();
  assert.deepEqual(fake.counts, {});
  assert.equal(fake.calls.at(-1), "ReleaseEnv");
});

Deno.test("dispose may be called twice", () => {
  const { fake, runtime, x } = open();
  const session = runtime.createSession(MODEL), input = x();
  for (const each of [session, input, session, input]) each.dispose();
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("a disposed object refuses to be used and says what it is", async () => {
  const { runtime, x } = open();
  const session = runtime.createSession(MODEL), input = x(), gone = x();
  const binding = session.bind();
  gone.dispose();
  assert.throws(() => gone.data, { name: "DisposedError", what: "Tensor" });
  assert.throws(() => gone.bytes, DisposedError);
  assert.throws(() => session.runSync({ x: gone }), { name: "DisposedError", what: "Tensor" });
  await assert.rejects(session.run({ x: gone }), DisposedError);
  binding.dispose();
  assert.throws(() => binding.bindInput("x", input), { name: "DisposedError", what: "IoBinding" });
  session.dispose();
  await assert.rejects(session.run({ x: input }), { name: "DisposedError", what: "Session" });
  assert.throws(() => session.metadata, DisposedError);
  assert.throws(() => session.bind(), DisposedError);
});

Deno.test("a run that was accepted keeps the session and its tensors until it ends", async () => {
  const { fake, runtime, x } = open();
  const gate = Promise.withResolvers<void>();
  fake.gate = gate.promise;
  const session = runtime.createSession(MODEL), input = x();
  const first = session.run({ x: input }), second = session.run({ x: input });
  session.dispose();
  input.dispose();
  assert.throws(() => input.data, DisposedError);
  assert.equal(fake.counts["Session"], 1);
  assert.equal(fake.counts["Value"], 1);
  gate.resolve();
  for (const results of await Promise.all([first, second])) results["y"]?.dispose();
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("a binding's run keeps the binding until it ends", async () => {
  const { fake, runtime, x } = open();
  const gate = Promise.withResolvers<void>();
  fake.gate = gate.promise;
  const session = runtime.createSession(MODEL), input = x();
  const binding = session.bind().bindInput("x", input).bindOutput("y", { name: "Cpu" });
  const run = binding.run();
  for (const each of [binding, session, input]) each.dispose();
  assert.equal(fake.counts["IoBinding"], 1);
  gate.resolve();
  await run;
  assert.deepEqual(fake.counts, AT_REST);
});

for (
  const name of [
    "CreateSessionOptions",
    "SetIntraOpNumThreads",
    "AddSessionConfigEntry",
    "CreateSessionFromArray",
    "SessionGetInputCount",
    "SessionGetInputTypeInfo",
    "GetDimensions",
    "SessionGetOutputName",
  ] as const
) {
  Deno.test(`createSession leaks nothing when ${name} fails`, async () => {
    const { fake, runtime } = open();
    const options = { intraOpThreads: 1, config: { key: "value" } };
    fake.fail(name, 2, "not today");
    const expected = { name: "OrtError", code: "INVALID_ARGUMENT", operation: name };
    assert.throws(() => runtime.createSession(MODEL, options), expected);
    await assert.rejects(runtime.loadSession(MODEL, options), expected);
    assert.deepEqual(fake.counts, AT_REST);
  });
}

for (const name of ["CreateRunOptions", "AddRunConfigEntry", "Run"] as const) {
  Deno.test(`run leaks nothing when ${name} fails, and the next one works`, async () => {
    const { fake, runtime, x } = open();
    using session = runtime.createSession(MODEL);
    const input = x();
    fake.fail(name, 11);
    const options = { config: { key: "value" } };
    const expected = { name: "OrtError", code: "EP_FAIL", message: /told to fail/ };
    assert.throws(() => session.runSync({ x: input }, options), expected);
    await assert.rejects(session.run({ x: input }, options), expected);
    fake.heal();
    (await session.run({ x: input }))["y"]?.dispose();
    input.dispose();
    session.dispose();
    assert.deepEqual(fake.counts, AT_REST);
  });
}

Deno.test("Tensor leaks nothing when its creation fails", () => {
  const { fake, runtime, x } = open();
  fake.fail("CreateTensorWithDataAsOrtValue");
  fake.fail("CreateTensorAsOrtValue");
  assert.throws(() => x(), OrtError);
  assert.throws(() => Tensor.empty(runtime, "float32", [2]), OrtError);
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("a session keeps the tensors given as initializers", () => {
  const { fake, runtime, x } = open();
  const weight = x();
  const session = runtime.createSession(MODEL, { initializers: new Map([["w", weight]]) });
  weight.dispose();
  assert.equal(fake.counts["Value"], 1);
  session.dispose();
  assert.deepEqual(fake.counts, AT_REST);
});

Deno.test("trace tells of each birth and death", () => {
  const { runtime, x } = open();
  const lines: string[] = [];
  runtime.native.lifetimes.trace = (line) => lines.push(line.replace(/0x.*/, "*"));
  x().dispose();
  assert.deepEqual(lines, ["+NEW Tensor *", "-DROP Tensor *"]);
});
