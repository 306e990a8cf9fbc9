import assert from "node:assert/strict";
import { knownNames, resolveSchedulerName } from "../../schedulers/names.ts";
import { RECIPES } from "../../schedulers/recipes/all.ts";

Deno.test("resolveSchedulerName() finds every class by its whole and its short name", () => {
  for (const name of Object.keys(RECIPES)) {
    assert.deepEqual(resolveSchedulerName(name), { name, overrides: {} });
    assert.equal(resolveSchedulerName(name.replace(/Scheduler$/, "")).name, name);
    assert.equal(resolveSchedulerName(name.toLowerCase()).name, name);
  }
  for (const name of knownNames()) assert.ok(resolveSchedulerName(name));
});

/** [what is typed, class, what it implies] */
const TYPED: readonly [string, string, Record<string, unknown>][] = [
  ["Euler", "EulerDiscreteScheduler", {}],
  ["Euler a", "EulerAncestralDiscreteScheduler", {}],
  ["euler_a", "EulerAncestralDiscreteScheduler", {}],
  ["euler_ancestral", "EulerAncestralDiscreteScheduler", {}],
  ["DPM++ 2M", "DPMSolverMultistepScheduler", {}],
  ["DPM++ 2M Karras", "DPMSolverMultistepScheduler", { sigmaSchedule: "karras" }],
  ["dpm++2m", "DPMSolverMultistepScheduler", {}],
  ["dpmpp_2m", "DPMSolverMultistepScheduler", {}],
  ["dpmpp_2m_sde", "DPMSolverMultistepScheduler", { algorithmType: "sde-dpmsolver++" }],
  ["dpmpp_2m_sde_gpu", "DPMSolverMultistepScheduler", { algorithmType: "sde-dpmsolver++" }],
  ["DPM++ 2M SDE Exponential", "DPMSolverMultistepScheduler", {
    algorithmType: "sde-dpmsolver++",
    sigmaSchedule: "exponential",
  }],
  ["DPM++ SDE Karras", "DPMSolverSDEScheduler", { sigmaSchedule: "karras" }],
  ["DPM++ 3M SDE", "DPMPP3MSDE", {}],
  ["DPM++ 2S a", "DPMPP2SAncestral", {}],
  ["dpm++2s_a", "DPMPP2SAncestral", {}],
  ["DPM2 a Karras", "KDPM2AncestralDiscreteScheduler", { sigmaSchedule: "karras" }],
  ["dpm_2", "KDPM2DiscreteScheduler", {}],
  ["DPM adaptive", "DPMAdaptive", {}],
  ["LMS Karras", "LMSDiscreteScheduler", { sigmaSchedule: "karras" }],
  ["k_euler_a", "EulerAncestralDiscreteScheduler", {}],
  ["k_lms", "LMSDiscreteScheduler", {}],
  ["dpmpp_2m_sde_k", "DPMSolverMultistepScheduler", {
    algorithmType: "sde-dpmsolver++",
    sigmaSchedule: "karras",
  }],
  ["PLMS", "PNDMScheduler", { skipPrkSteps: true }],
  ["uni_pc_bh2", "UniPCMultistepScheduler", { solverType: "bh2" }],
  ["UniPC", "UniPCMultistepScheduler", {}],
  ["ddim", "DDIMScheduler", {}],
  ["ddim_trailing", "DDIMScheduler", { timestepSpacing: "trailing" }],
  ["lcm", "LCMScheduler", {}],
  ["DPM fast", "DPMFast", {}],
  ["ipndm_v", "IPNDMV", {}],
  ["heunpp2", "HeunPP2", {}],
  ["dpm++2mv2", "DPMPP2MV2", {}],
  ["gradient_estimation", "GradientEstimation", {}],
  ["momentum", "Momentum", {}],
  ["adam karras", "Adam", { sigmaSchedule: "karras" }],
  ["Heun SGM Uniform", "HeunDiscreteScheduler", { sigmaSchedule: "sgm_uniform" }],
];

for (const [typed, name, overrides] of TYPED) {
  Deno.test(`resolveSchedulerName() reads "${typed}"`, () => {
    assert.deepEqual(resolveSchedulerName(typed), { name, overrides });
  });
}

Deno.test("resolveSchedulerName() offers the nearest names for a slip", () => {
  assert.throws(() => resolveSchedulerName("dpmpp_2n"), /RangeError|nearest: dpmpp2m/);
  assert.throws(() => resolveSchedulerName("eulr"), /nearest: euler/);
  assert.throws(() => resolveSchedulerName("constructor"), RangeError);
});

Deno.test("resolveSchedulerName() says what to use for samplers that exist elsewhere only", () => {
  assert.throws(() => resolveSchedulerName("SA-Solver"), /not built: use DPM\+\+ 2M SDE/);
  assert.throws(() => resolveSchedulerName("euler_cfg_pp"), /guidance/);
});
