import assert from "node:assert/strict";
import { denoise } from "../../schedulers/denoise.ts";
import { type LinearPlan, linearPlan } from "../../schedulers/linear_plan.ts";
import type { Plan } from "../../schedulers/plan.ts";
import { RECIPES } from "../../schedulers/recipes/all.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";

const CONFIG = {
  _class_name: "PNDMScheduler",
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  steps_offset: 1,
  set_alpha_to_one: false,
  skip_prk_steps: true,
};
const LENGTH = 8;

/** No linear function: what the network answers. */
const network = (input: Float32Array, timestep: number) =>
  input.map((x, i) => Math.sin(x + i) + 0.1 * Math.cos(timestep));

/** Draws that are the same for both ways. */
function drawing(): () => Float32Array {
  let seed = 1;
  const uniform = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  return () => Float32Array.from({ length: LENGTH }, () => 3 * (uniform() - 0.5));
}

/** Runs the matrices, in float64. */
function multiply({ size, inputs, updates }: LinearPlan, plan: Plan, first: Float32Array) {
  const noise = drawing(), seen: [sample: number[], clean: number[]][] = [];
  let state = Array.from({ length: size }, (_, row) => row ? first.map(() => 0) : first).map(
    (row) => [...row],
  );
  plan.stages.forEach((stage, k) => {
    const before = stage.churn === undefined ? first.map(() => 0) : noise();
    const columns = [...state, [...before]];
    const sum = (weights: Float64Array, of: number[][]) =>
      Array.from(first, (_, i) => weights.reduce((all, w, c) => all + w * of[c]![i]!, 0));
    const output = network(Float32Array.from(sum(inputs[k]!, columns)), stage.timestep);
    const after = stage.next.noise ? noise() : first.map(() => 0);
    columns.push([...output], [...after]);
    const rows = Array.from(
      { length: size + 1 },
      (_, row) => sum(updates[k]!.subarray(row * (size + 3), (row + 1) * (size + 3)), columns),
    );
    state = rows.slice(0, size);
    seen.push([rows[0]!, rows[size]!]);
  });
  return seen;
}

const near = (a: ArrayLike<number>, b: ArrayLike<number>, what: string) => {
  const scale = Math.max(1, ...Array.from(b, Math.abs));
  Array.from(a, (x, i) => {
    assert.ok(Math.abs(x - b[i]!) <= 2e-5 * scale, `${what}: ${[...Array.from(a)]}, ${b}`);
  });
};

for (const scheduler of Object.keys(RECIPES)) {
  Deno.test(`linearPlan computes what denoise computes: ${scheduler}`, async () => {
    const plan = schedulerFromConfig(CONFIG, { scheduler }).plan({ steps: 7 });
    const matrices = linearPlan(plan);
    const isLinear = !plan.clipping && !plan.adaptive &&
      plan.stages.every(({ next }) => !next.precondition);
    assert.equal(matrices !== undefined, isLinear);
    if (!matrices) return;
    const first = drawing()().map((x) => x * plan.initialScale);
    const seen = multiply(matrices, plan, first);
    const latents = first.slice();
    const predict = (input: Float32Array, { timestep }: { timestep: number }) =>
      network(input, timestep);
    for await (const step of denoise(plan, latents, predict, drawing())) {
      const [sample, clean] = seen[step.index]!;
      near(sample, step.latents, `sample of call ${step.index}`);
      near(clean, step.denoised, `clean estimate of call ${step.index}`);
    }
  });
}

Deno.test("linearPlan of churned and image-to-image runs", async () => {
  const churned = schedulerFromConfig(CONFIG, {
    scheduler: "EulerDiscreteScheduler",
    sChurn: 0.4,
  }).plan({ steps: 6, strength: 0.7 });
  const first = drawing()();
  const seen = multiply(linearPlan(churned)!, churned, first);
  const latents = first.slice();
  const predict = (input: Float32Array, { timestep }: { timestep: number }) =>
    network(input, timestep);
  for await (const step of denoise(churned, latents, predict, drawing())) {
    near(seen[step.index]![0], step.latents, `call ${step.index}`);
  }
});
