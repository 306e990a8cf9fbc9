import assert from "node:assert/strict";
import { profileOf } from "../../pipeline/profile.ts";

const node = (
  name: string,
  operator: string,
  ts: number,
  dur: number,
  shapes: number[][] = [],
) => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: {
    op_name: operator,
    input_type_shape: shapes.slice(0, -1).map((shape) => ({ float: shape })),
    output_type_shape: shapes.slice(-1).map((shape) => ({ float: shape })),
  },
});

const run = (ts: number, dur: number) => ({ cat: "Session", name: "model_run", ts, dur });

Deno.test("profileOf takes each node's quickest run but the first, and counts arithmetic", () => {
  const conv = [[1, 4, 8, 8], [6, 4, 3, 3], [1, 6, 8, 8]];
  const { runs, ms, operators } = profileOf(
    "unet",
    JSON.stringify([
      { cat: "Session", name: "session_initialization", ts: 0, dur: 5 },
      run(10, 100),
      node("a", "Conv", 10, 1, conv),
      run(200, 100),
      node("a", "Conv", 200, 6000, conv),
      node("b", "Add", 210, 2000),
      run(400, 100),
      node("a", "Conv", 400, 4000, conv),
      node("b", "Add", 410, 3000),
      node("c", "FusedMatMul", 420, 2000, [[2, 5, 10], [2, 5, 7]]),
      { ...node("d", "Add", 430, 9), name: "d_fence_before" },
    ]),
  );
  assert.equal(runs, 2);
  assert.equal(ms, 8);
  assert.deepEqual(operators, [
    { operator: "Conv", nodes: 1, ms: 4, share: 0.5, gflop: 2 * 6 * 64 * 36 / 1e9 },
    { operator: "Add", nodes: 1, ms: 2, share: 0.25 },
    { operator: "FusedMatMul", nodes: 1, ms: 2, share: 0.25, gflop: 2 * 100 * 7 / 1e9 },
  ]);
});

Deno.test("profileOf of a single run says that there was nothing to see", () => {
  const { runs, operators } = profileOf("vae", JSON.stringify([run(1, 2), node("a", "Add", 1, 1)]));
  assert.equal(runs, 0);
  assert.deepEqual(operators, []);
});
