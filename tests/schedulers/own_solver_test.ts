import assert from "node:assert/strict";
import { addNoise } from "../../schedulers/plan.ts";
import { planTable } from "../../schedulers/plan_table.ts";
import type { Solver } from "../../schedulers/recipes/own.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";

const SD = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
};

const EULER: Solver = {
  name: "my euler",
  basis: "denoised",
  calls: (levels) =>
    levels.slice(0, -1).map((level, i) => {
      const keep = levels[i + 1]!.noise / level.noise;
      return { level, next: { start: keep, results: [1 - keep] }, advance: true };
    }),
};

Deno.test("schedulerFromConfig() takes a solver in place of a name and plans as it says", () => {
  const own = schedulerFromConfig(SD, { scheduler: EULER, sigmaSchedule: "karras" });
  const named = schedulerFromConfig(SD, { scheduler: "euler", sigmaSchedule: "karras" });
  assert.equal(own.name, "my euler");
  const plan = own.plan({ steps: 9, strength: 0.5 });
  assert.equal(plan.scheduler, "my euler");
  assert.deepEqual(
    JSON.parse(JSON.stringify(plan.stages)),
    JSON.parse(JSON.stringify(named.plan({ steps: 9, strength: 0.5 }).stages)),
  );
});

Deno.test("schedulerFromConfig() gives a solver the level of any sigma", () => {
  const asked: number[] = [];
  const solver: Solver = {
    ...EULER,
    calls(levels, levelAt) {
      asked.push(levelAt(1).timestep, levelAt(levels[2]!.noise).timestep, levels[2]!.timestep);
      return EULER.calls(levels, levelAt);
    },
  };
  schedulerFromConfig(SD, { scheduler: solver }).plan({ steps: 5 });
  assert.ok(asked[0]! > 300 && asked[0]! < 400, `sigma 1 is at timestep ${asked[0]}`);
  assert.ok(Math.abs(asked[1]! - asked[2]!) < 1e-2);
});

Deno.test("plan() refuses rows of a solver that weigh results which are not there", () => {
  const refuses = (results: number[], why: RegExp) => {
    const calls: Solver["calls"] = (levels, levelAt) =>
      EULER.calls(levels, levelAt).map((call) => ({ ...call, next: { ...call.next, results } }));
    const own = schedulerFromConfig(SD, { scheduler: { ...EULER, calls } });
    assert.throws(() => own.plan({ steps: 3 }), why);
  };
  refuses([], /my euler: call 1 must weigh 1 to 1 results.*got 0/);
  refuses([1, 2], /call 1 must weigh.*got 2/);
  refuses([NaN], /no finite weights/);
});

Deno.test("exactSteps sends DDIM's steps where the next one begins, which diffusers' do not", () => {
  const stagesOf = (exactSteps: boolean) => {
    const overrides = { scheduler: "ddim", timestepSpacing: "linspace", exactSteps } as const;
    return schedulerFromConfig(SD, overrides).plan({ steps: 6 }).stages;
  };
  /** The signal after each step is the weight of a constant picture less that of the start. */
  const misses = (stages: ReturnType<typeof stagesOf>) =>
    stages.slice(0, -1).filter(({ next, level }, i) => {
      const after = next.results[0]! + (next.unclipped ?? 0) + next.start * level.signal;
      return Math.abs(after - stages[i + 1]!.level.signal) > 1e-9;
    }).length;
  assert.equal(misses(stagesOf(true)), 0);
  assert.equal(misses(stagesOf(false)), 5);
  assert.throws(() => schedulerFromConfig(SD, { exactSteps: true }), /DDIMScheduler/);
});

Deno.test("sChurn raises each step's sigma by fresh noise within its range, and no more than that", () => {
  const plan = (sChurn: number) =>
    schedulerFromConfig(SD, { scheduler: "euler", sChurn, sTmin: 0.1, sTmax: 10 })
      .plan({ steps: 10 });
  const [still, churned] = [plan(0).stages, plan(2).stages];
  assert.ok(still.every(({ churn }) => churn === undefined));
  for (const [i, { sigma, churn }] of churned.entries()) {
    const inside = still[i]!.sigma >= 0.1 && still[i]!.sigma <= 10;
    assert.ok(inside ? churn! > 0 : churn === 0);
    assert.ok(Math.abs(Math.hypot(still[i]!.sigma, churn!) - sigma) < 1e-9 * sigma);
    assert.ok(Math.abs(sigma / still[i]!.sigma - (inside ? 1.2 : 1)) < 1e-9);
  }
  assert.equal(planTable(plan(2)).columns[3], "z before");
  // A run that begins in a picture begins below the churn.
  const noisy = addNoise(plan(2), 5, Float32Array.of(0), Float32Array.of(1));
  assert.ok(Math.abs(noisy[0]! - still[5]!.sigma) < 1e-5);
});
