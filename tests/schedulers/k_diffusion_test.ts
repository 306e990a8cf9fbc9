import assert from "node:assert/strict";
import { denoise } from "../../schedulers/denoise.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";
import { network, noise, START } from "./fake_network.ts";
import { goldenCases, ulpDistance } from "./golden.ts";

const SD = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
};

/** Float32 ulps; Heun divides a small difference by a small sigma in runs of 2 steps. */
const boundOf = (name: string) => name.startsWith("heun") ? 64 : 8;

for (const golden of await goldenCases("k_diffusion")) {
  Deno.test(`${golden.name} steps as k-diffusion does, within ${boundOf(golden.name)} ulps`, async () => {
    const plan = schedulerFromConfig(golden.config, golden.overrides).plan(golden.request);
    const sample = START.map((z) => z * plan.initialScale);
    let draws = 0;
    let step = plan.adaptive ? -1 : 0;
    const endAlone = golden.name.includes("churned");
    const predict = (input: Float32Array, { timestep }: { timestep: number }) =>
      network(input, timestep);
    for await (const { stage, index } of denoise(plan, sample, predict, () => noise(++draws))) {
      if (!plan.adaptive && !stage.advance) continue;
      if (endAlone && index < plan.stages.length - 1) continue;
      const distance = ulpDistance(sample, golden.latents[++step]!);
      assert.ok(distance <= boundOf(golden.name), `step ${step}: ${distance} ulps`);
    }
    assert.equal(step, golden.latents.length - 1);
    assert.equal(draws, golden.draws);
  });
}

Deno.test("Restart goes up again twice from 36 steps on, once from 20, never below", () => {
  for (const [steps, expected] of [[10, 0], [20, 1], [30, 1], [36, 2], [50, 2]] as const) {
    const { stages } = schedulerFromConfig(SD, { scheduler: "Restart" }).plan({ steps });
    const rises = stages.filter((stage, i) =>
      i > 0 && stage.level.noise > stages[i - 1]!.level.noise * 1.5
    );
    assert.equal(rises.length, expected, `${steps} steps`);
    assert.equal(stages.filter((stage) => stage.next.noise).length, expected);
  }
});

Deno.test("Restart adds as much noise as leads from its low sigma to its high one", () => {
  const { stages } = schedulerFromConfig(SD, { scheduler: "Restart" }).plan({ steps: 20 });
  const i = stages.findIndex((stage) => stage.next.noise);
  const [low, high] = [stages[i]!.sigma, stages[i + 1]!.sigma];
  assert.ok(Math.abs(low ** 2 + stages[i]!.next.noise![0]! ** 2 - high ** 2) < 1e-9 * high ** 2);
});

Deno.test("Restart with few steps is Heun with Karras sigmas", () => {
  const heun = schedulerFromConfig(SD, { scheduler: "heun", sigmaSchedule: "karras" });
  const again = schedulerFromConfig(SD, { scheduler: "Restart" });
  const [a, b] = [heun.plan({ steps: 8 }).stages, again.plan({ steps: 8 }).stages];
  assert.equal(a.length, b.length);
  for (const [i, stage] of a.entries()) {
    assert.ok(Math.abs(stage.sigma - b[i]!.sigma) < 1e-6 * stage.sigma);
  }
});

Deno.test("DPM adaptive stops where the noise table does and obeys an AbortSignal", async () => {
  const plan = schedulerFromConfig(SD, { scheduler: "dpm_adaptive" }).plan({ steps: 20 });
  const stop = new AbortController();
  const predict = (input: Float32Array) => {
    stop.abort(new Error("enough"));
    return input;
  };
  const run = denoise(plan, START.slice(), predict, undefined, { signal: stop.signal });
  await assert.rejects(run.next(), /enough/);
});
