import assert from "node:assert/strict";
import { planTable } from "../../schedulers/plan_table.ts";
import { addNoise } from "../../schedulers/plan.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";

/** The scheduler_config.json of Stable Diffusion 1.5. */
const SD15 = Object.freeze({
  _class_name: "PNDMScheduler",
  _diffusers_version: "0.6.0",
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  trained_betas: null,
  clip_sample: false,
});

const timesteps = (overrides: Parameters<typeof schedulerFromConfig>[1], steps: number) =>
  schedulerFromConfig(SD15, overrides).plan({ steps }).stages.map((stage) => stage.timestep);

Deno.test("schedulerFromConfig() runs SD 1.5's PNDM: one call more than steps, the second twice", () => {
  assert.deepEqual(timesteps({}, 5), [801, 601, 601, 401, 201, 1]);
});

Deno.test("schedulerFromConfig() gives another scheduler its own defaults for what the file lacks", () => {
  const euler = schedulerFromConfig(SD15, { scheduler: "euler" });
  assert.equal(euler.settings.timestepSpacing, "linspace");
  assert.equal(euler.settings.stepsOffset, 1);
  const ddim = schedulerFromConfig(SD15, { scheduler: "DDIM" });
  assert.equal(ddim.settings.timestepSpacing, "leading");
  assert.equal(ddim.settings.clipSample, false);
  assert.equal(ddim.settings.setAlphaToOne, false);
});

Deno.test("schedulerFromConfig() leaves options that a scheduler lacks in diffusers unread", () => {
  const file = { ...SD15, clip_sample: true, use_karras_sigmas: true };
  assert.equal(schedulerFromConfig(file, { scheduler: "dpm++2m" }).settings.clipSample, false);
  assert.equal(
    schedulerFromConfig(file, { scheduler: "euler_a" }).settings.sigmaSchedule,
    "trained",
  );
  assert.equal(schedulerFromConfig(file, { scheduler: "euler" }).settings.sigmaSchedule, "karras");
});

Deno.test("schedulerFromConfig() puts overrides over names and names over the file", () => {
  const file = { ...SD15, use_exponential_sigmas: true };
  const named = schedulerFromConfig(file, { scheduler: "DPM++ 2M Karras" });
  assert.equal(named.settings.sigmaSchedule, "karras");
  const over = schedulerFromConfig(file, { scheduler: "DPM++ 2M Karras", sigmaSchedule: "beta" });
  assert.equal(over.settings.sigmaSchedule, "beta");
  const unset = { scheduler: "euler", sigmaSchedule: undefined } as Record<string, unknown>;
  assert.equal(schedulerFromConfig(file, unset).settings.sigmaSchedule, "exponential");
});

Deno.test("schedulerFromConfig() names what is wrong in the file", () => {
  assert.throws(() => schedulerFromConfig({}), /_class_name/);
  assert.throws(() => schedulerFromConfig({ ...SD15, steps_offset: "1" }), /"steps_offset".*"1"/);
  assert.throws(
    () => schedulerFromConfig({ ...SD15, prediction_type: "noise" }),
    /"noise".*v_prediction/,
  );
  const both = {
    _class_name: "EulerDiscreteScheduler",
    use_karras_sigmas: true,
    use_beta_sigmas: true,
  };
  assert.throws(() => schedulerFromConfig(both), /use_karras_sigmas and use_beta_sigmas/);
});

Deno.test("plan() begins late enough for the strength of image to image", () => {
  const ddim = schedulerFromConfig(SD15, { scheduler: "ddim" });
  const of = (strength: number) =>
    ddim.plan({ steps: 10, strength }).stages.map((stage) => stage.timestep);
  assert.deepEqual(of(0.35), [201, 101, 1]);
  assert.equal(of(1).length, 10);
  assert.throws(() => ddim.plan({ steps: 10, strength: 0.05 }), /no step is left/);
  assert.throws(() => ddim.plan({ steps: 10, strength: 1.5 }), /strength/);
});

Deno.test("plan() refuses what no run can be made of", () => {
  const euler = schedulerFromConfig(SD15, { scheduler: "euler" });
  for (const steps of [0, -1, 2.5, NaN, 1001]) {
    assert.throws(() => euler.plan({ steps }), RangeError, String(steps));
  }
  assert.throws(() => euler.plan({}), RangeError);
  assert.throws(
    () => schedulerFromConfig(SD15, { scheduler: "lcm" }).plan({ steps: 51 }),
    /at most 50/,
  );
});

Deno.test("plan() says why some combinations have no answer", () => {
  const refuses = (overrides: Parameters<typeof schedulerFromConfig>[1], why: RegExp) =>
    assert.throws(() => schedulerFromConfig(SD15, overrides).plan({ steps: 20 }), why);
  refuses({ scheduler: "dpm++2m", algorithmType: "dpmsolver" }, /sigma_min/);
  refuses({ scheduler: "dpm++2m", algorithmType: "other" }, /"other".*dpmsolver\+\+/);
  refuses({
    scheduler: "dpm++2m",
    algorithmType: "sde-dpmsolver",
    finalSigmasType: "sigma_min",
    solverOrder: 3,
  }, /order/);
  refuses({ scheduler: "unipc", lowerOrderFinal: false }, /lower_order_final/);
  refuses(
    { scheduler: "ddim", rescaleBetasZeroSnr: true, timestepSpacing: "trailing" },
    /predict v/,
  );
  refuses({ scheduler: "ddpm", varianceType: "learned" }, /learned/);
  refuses({ scheduler: "Restart", sigmaSchedule: "beta" }, /heun/);
  const karras = schedulerFromConfig(SD15, { scheduler: "euler", sigmaSchedule: "karras" });
  assert.throws(() => karras.plan({ timesteps: [900, 500] }), /given timesteps/);
});

Deno.test("schedulerFromConfig() refuses overrides that a scheduler has no use for", () => {
  const refuses = (overrides: Parameters<typeof schedulerFromConfig>[1], why: RegExp) =>
    assert.throws(() => schedulerFromConfig(SD15, overrides), why);
  refuses({ scheduler: "euler", eta: 0.5 }, /eta with EulerDiscreteScheduler.*DDIMScheduler/);
  refuses({ scheduler: "ddim", sigmaSchedule: "karras" }, /sigmaSchedule with DDIMScheduler/);
  refuses({ scheduler: "LCM Karras" }, /sigmaSchedule with LCMScheduler/);
  refuses({ scheduler: "euler", solverOrder: 3 }, /solverOrder/);
  refuses({ scheduler: "dpm_adaptive", sigmaSchedule: "karras" }, /sigmaSchedule/);
  // Saying what is so anyway is no error.
  assert.ok(schedulerFromConfig(SD15, { scheduler: "euler", eta: 0 }));
});

Deno.test("schedulerFromConfig() takes from users what the file may not say", () => {
  const plan = (overrides: Parameters<typeof schedulerFromConfig>[1]) =>
    schedulerFromConfig(SD15, overrides).plan({ steps: 10 });
  const karras = plan({ scheduler: "Euler a", sigmaSchedule: "karras" });
  const plain = plan({ scheduler: "Euler a" });
  assert.ok(Math.abs(karras.stages[5]!.sigma - plain.stages[5]!.sigma) > 0.1);
  const still = plan({ scheduler: "Euler a", eta: 0 });
  assert.ok(still.stages.every((stage) => stage.next.noise![0] === 0));
});

Deno.test("schedulerFromConfig() refuses values that mean nothing", () => {
  const refuses = (overrides: Record<string, unknown>, why: RegExp) =>
    assert.throws(() => schedulerFromConfig(SD15, overrides), why);
  refuses({ timestepSpacing: "even" }, /"even", expected leading/);
  refuses({ scheduler: "euler", sigmaSchedule: "kl" }, /"kl", expected trained, karras/);
  refuses({ scheduler: "euler", finalSigmasType: "one" }, /zero, sigma_min/);
  refuses({ scheduler: "ddim", eta: 2 }, /eta.*0 to 1/);
  refuses({ scheduler: "deis", solverOrder: 4 }, /1, 2 or 3/);
  refuses({ predictionType: "x0" }, /epsilon/);
});

Deno.test("plan() follows given timesteps and sigmas, and refuses rising ones", () => {
  const of = (
    scheduler: string,
    request: Parameters<ReturnType<typeof schedulerFromConfig>["plan"]>[0],
  ) => schedulerFromConfig(SD15, { scheduler }).plan(request).stages;
  const given = [900, 500, 100];
  for (const scheduler of ["euler", "ddim", "dpm++2m", "unipc", "lcm", "ddpm"]) {
    assert.deepEqual(of(scheduler, { timesteps: given }).map((s) => s.timestep), given, scheduler);
  }
  assert.deepEqual(of("euler", { sigmas: [8, 2, 0] }).map((s) => s.sigma), [8, 2]);
  assert.throws(() => of("euler", { timesteps: [100, 500] }), /rise/);
  assert.throws(() => of("ddim", { sigmas: [8, 2, 0] }), /number of steps alone/);
  assert.throws(() => of("pndm", { timesteps: given }), /even/);
});

Deno.test("plan() knows one plan from the next: nothing is remembered between runs", () => {
  const unipc = schedulerFromConfig(SD15, { scheduler: "unipc" });
  const first = JSON.stringify(unipc.plan({ steps: 7 }));
  unipc.plan({ steps: 20 });
  assert.equal(JSON.stringify(unipc.plan({ steps: 7 })), first);
});

Deno.test("plan() survives schedules whose first timesteps round to the same number", () => {
  const plan = schedulerFromConfig(SD15, { scheduler: "unipc", sigmaSchedule: "beta" })
    .plan({ steps: 50 });
  assert.equal(plan.stages[0]!.timestep, plan.stages[1]!.timestep);
  assert.equal(plan.stages.length, 50);
});

Deno.test("planTable() names every weight and leaves unused columns out", () => {
  const of = (scheduler: string) =>
    planTable(schedulerFromConfig(SD15, { scheduler }).plan({ steps: 4 }));
  const euler = of("euler");
  assert.deepEqual(euler.columns, ["call", "timestep", "sigma", "x", "denoised"]);
  assert.deepEqual(euler.rows.at(-1)!.slice(3), [0, 1]);
  assert.deepEqual(of("euler_a").columns.slice(4), ["denoised", "z"]);
  assert.deepEqual(of("dpm++2m").columns.slice(4), ["denoised", "denoised -1"]);
  assert.deepEqual(of("DPM++ SDE").columns.slice(4), ["denoised", "z", "z -1"]);
  assert.equal(of("pndm").columns[4], "output");
  // UniPC corrects every call but the first.
  assert.deepEqual(of("unipc").rows.map((row) => row[0]), [0, 1, 1, 2, 2, 3, 3]);
});

Deno.test("addNoise() mixes as the stage's level says and refuses stages that are not there", () => {
  const plan = schedulerFromConfig(SD15, { scheduler: "ddim" }).plan({ steps: 4 });
  const { signal, noise } = plan.stages[2]!.level;
  const mixed = addNoise(plan, 2, Float32Array.of(2), Float32Array.of(-1));
  assert.equal(mixed[0], Math.fround(2 * signal - noise));
  assert.throws(() => addNoise(plan, 4, mixed, mixed), /0\.\.3/);
});

for (
  const sigmaSchedule of [
    "karras",
    "exponential",
    "polyexponential",
    "beta",
    "ays",
    "ays_sdxl",
    "kl_optimal",
    "simple",
    "sgm_uniform",
  ] as const
) {
  Deno.test(`plan() with ${sigmaSchedule} sigmas falls from the noisiest level to none`, () => {
    for (const scheduler of ["euler", "dpm++2m", "heun", "unipc"]) {
      const { stages } = schedulerFromConfig(SD15, { scheduler, sigmaSchedule }).plan({
        steps: 12,
      });
      const sigmas = stages.map((stage) => stage.sigma);
      assert.ok(Math.abs(sigmas[0]! - 14.6146) < 0.01, `${scheduler} begins at ${sigmas[0]}`);
      assert.ok(sigmas.every((value, i) => i === 0 || value <= sigmas[i - 1]!), scheduler);
      assert.ok(
        sigmas.at(-1)! > 0 && sigmas.at(-1)! < 1.5,
        `${scheduler} ends at ${sigmas.at(-1)}`,
      );
    }
  });
}
