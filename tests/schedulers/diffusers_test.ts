import assert from "node:assert/strict";
import { denoise } from "../../schedulers/denoise.ts";
import { noiseSource } from "../../schedulers/noise_source.ts";
import { addNoise, type Plan } from "../../schedulers/plan.ts";
import { RECIPES } from "../../schedulers/recipes/all.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";
import { CLEAN, network, noise, START } from "./fake_network.ts";
import { type GoldenCase, goldenCases, ulpDistance } from "./golden.ts";

/**
 * Largest distance allowed from diffusers, in float32 ulps of the largest entry of the sample before
 * or after the step: `step` when each call begins where diffusers' did, `run` when the whole run is
 * ours. Measured, rounded up. diffusers works in float32 throughout, we in float64 with one rounding
 * a stage; where its numbers cancel, the distance is its rounding error:
 * - Heun, KDPM2 ancestral and flow Heun divide a small difference by a small sigma in runs of 2 steps;
 * - DEIS subtracts primitives of logarithms; DPM-Solver's third order divides by h squared;
 * - zero-SNR runs begin at sigma 4096, EDM's at 80, and leave most of the sample behind in one step.
 * With diffusers' own steps computed in float64 the ends of such runs come nearer: Heun 0.6 ulps,
 * flow Heun 0.4, KDPM2 ancestral 0.4, DEIS 2.1, singlestep third order with noise 35 (from 74).
 */
const ULPS: Record<string, { step: number; run: number }> = {
  DDIMScheduler: { step: 4, run: 16 },
  DDPMScheduler: { step: 24, run: 48 },
  DEISMultistepScheduler: { step: 200, run: 800 },
  DPMSolverMultistepScheduler: { step: 24, run: 32 },
  DPMSolverSDEScheduler: { step: 32, run: 64 },
  DPMSolverSinglestepScheduler: { step: 64, run: 80 },
  EDMDPMSolverMultistepScheduler: { step: 16, run: 20 },
  EDMEulerScheduler: { step: 2, run: 320 },
  EulerAncestralDiscreteScheduler: { step: 4, run: 160 },
  EulerDiscreteScheduler: { step: 2, run: 400 },
  FlowMatchEulerDiscreteScheduler: { step: 1, run: 2 },
  FlowMatchHeunDiscreteScheduler: { step: 160, run: 160 },
  HeunDiscreteScheduler: { step: 64, run: 2500 },
  IPNDMScheduler: { step: 12, run: 16 },
  KDPM2AncestralDiscreteScheduler: { step: 160, run: 160 },
  KDPM2DiscreteScheduler: { step: 6, run: 8 },
  LCMScheduler: { step: 2, run: 8 },
  LMSDiscreteScheduler: { step: 32, run: 32 },
  PNDMScheduler: { step: 3, run: 12 },
  TCDScheduler: { step: 3, run: 16 },
  UniPCMultistepScheduler: { step: 40, run: 40 },
};

/** Timesteps looked up from sigmas depend on the last bits of NumPy's float32 logarithm. */
const TIMESTEP_ERROR = 2e-4;

for (const [name, bound] of Object.entries(ULPS)) {
  Deno.test(`${name} plans and steps as diffusers does`, async () => {
    const cases = await goldenCases(name);
    assert.ok(cases.length >= 5, "the golden file holds runs");
    for (const golden of cases) {
      const plan = schedulerFromConfig(golden.config, golden.overrides).plan(golden.request);
      checkTimesteps(plan, golden);
      checkStart(plan, golden);
      await checkRun(plan, golden, "step", bound.step);
      await checkRun(plan, golden, "run", bound.run);
    }
  });
}

Deno.test("every scheduler of diffusers has a golden file", () => {
  const ours = Object.keys(RECIPES).filter((name) => name.endsWith("Scheduler"));
  assert.deepEqual(ours.sort(), Object.keys(ULPS).sort());
});

Deno.test("the goldens' bounds would notice a wrong weight", async () => {
  const [golden] = await goldenCases("EulerDiscreteScheduler");
  const plan = schedulerFromConfig(golden!.config).plan(golden!.request);
  const stages = plan.stages.map((stage) => ({
    ...stage,
    next: { ...stage.next, results: stage.next.results.map((weight) => weight * (1 + 1e-5)) },
  }));
  await assert.rejects(checkRun({ ...plan, stages }, golden!, "step", 2), /ulps/);
});

function checkTimesteps(plan: Plan, golden: GoldenCase): void {
  const expected = golden.timesteps.slice(golden.timesteps.length - plan.stages.length);
  assert.equal(plan.stages.length, golden.latents.length - 1, `${golden.name}: calls`);
  for (const [i, { timestep }] of plan.stages.entries()) {
    const error = Math.abs(timestep - expected[i]!);
    const allowed = Number.isInteger(expected[i]!) && Number.isInteger(timestep)
      ? 0
      : TIMESTEP_ERROR;
    assert.ok(error <= allowed, `${golden.name}: timestep ${timestep}, not ${expected[i]}`);
  }
}

function checkStart(plan: Plan, golden: GoldenCase): void {
  const relative = Math.abs(plan.initialScale - golden.initial) / golden.initial;
  assert.ok(relative < 1e-6, `${golden.name}: initial scale ${plan.initialScale}`);
  const distance = ulpDistance(start(plan, golden), golden.latents[0]!);
  assert.ok(distance <= 1, `${golden.name}: starts ${distance} ulps away`);
}

function start(plan: Plan, { request }: GoldenCase): Float32Array {
  if (request.first !== undefined) return addNoise(plan, 0, CLEAN, START);
  return START.map((z) => z * plan.initialScale);
}

async function checkRun(
  plan: Plan,
  golden: GoldenCase,
  mode: "step" | "run",
  allowed: number,
): Promise<void> {
  const { latents, timesteps, name } = golden;
  const skipped = timesteps.length - plan.stages.length;
  const sample = mode === "run" ? start(plan, golden) : Float32Array.from(latents[0]!);
  let draws = 0;
  const formula = () => noise(++draws);
  const path = plan.brownianPath?.seed ?? undefined;
  const steps = denoise(
    plan,
    sample,
    (input, _stage, index) => network(input, timesteps[skipped + index]!),
    path === undefined ? formula : noiseSource(plan, { normal: formula }, 16, path),
    { batch: 2 },
  );
  for await (const { index } of steps) {
    const expected = latents[index + 1]!;
    const size = Math.max(...latents[index]!.map(Math.abs));
    const distance = ulpDistance(sample, expected, size);
    assert.ok(distance <= allowed, `${name}, ${mode} ${index}: ${distance} ulps`);
    if (mode === "step") sample.set(expected);
  }
  assert.equal(draws, golden.draws, `${name}: random draws`);
}
