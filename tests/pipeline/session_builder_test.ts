import assert from "node:assert/strict";
import { cpu } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { grad, input, mul, multiHeadAttention, reduceSum } from "../../graph/mod.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";

const runtime = openRuntime(); // stays loaded: no leak of the test that happens to come first

Deno.test("SessionBuilder builds the derivative of many tokens' attention, as guidance by CLIP has it", async () => {
  const builder = new SessionBuilder(runtime, { providers: [cpu()] });
  const shape = [1, 1024, 6], inputs = ["q", "k", "v"].map((name) => input(name, "float32", shape));
  const [q, k, v] = inputs;
  const attended = multiHeadAttention(q!, k!, v!, { heads: 3 });
  const [dq, dk, dv] = grad(reduceSum(mul(attended, attended)), inputs);
  const outputs = { dq: dq!, dk: dk!, dv: dv! }, none = { parameters: [], unexpected: [] };
  using session = await builder.build({ name: "gradient", inputs, outputs, ...none });
  assert.deepEqual(session.outputs.map(({ name }) => name), ["dq", "dk", "dv"]);
});
