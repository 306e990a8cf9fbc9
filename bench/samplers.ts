/**
 * What does a sampler cost beside the network? Whole runs of 50 steps over the latents of a 512 x 512
 * picture, 4 x 64 x 64 values, with a network that answers at once; and planning alone.
 *
 *     deno bench -A bench/samplers.ts      # wall time
 *     deno run -A bench/samplers.ts        # CPU time of one run, after warming up
 */
import process from "node:process";
import { denoise } from "../schedulers/denoise.ts";
import type { Plan } from "../schedulers/plan.ts";
import { schedulerFromConfig } from "../schedulers/scheduler.ts";

const SD = {
  _class_name: "PNDMScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  skip_prk_steps: true,
  steps_offset: 1,
};
const SIZE = 4 * 64 * 64;
const NOISE = Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i * 12.9898) * 1.4);
const OUTPUT = NOISE.toReversed();
const SAMPLERS = [
  ...["euler", "euler_a", "ddim", "pndm", "heun", "dpm++2m", "dpm++2m_sde", "unipc", "deis", "lms"],
  ...["momentum", "adam"],
];

const planOf = (scheduler: string) => schedulerFromConfig(SD, { scheduler }).plan({ steps: 50 });

/** One run; the network and the random numbers cost nothing. */
async function run(plan: Plan): Promise<void> {
  const latents = NOISE.map((z) => z * plan.initialScale);
  for await (const _ of denoise(plan, latents, () => OUTPUT, () => NOISE));
}

for (const scheduler of SAMPLERS) {
  const plan = planOf(scheduler);
  Deno.bench(`${scheduler}, ${plan.stages.length} calls`, { group: "run" }, () => run(plan));
}

Deno.bench("plan dpm++2m karras", { group: "plan" }, () => {
  planOf("DPM++ 2M Karras");
});

/** Milliseconds of processor time of one run, when the loop is compiled. */
async function cpuTime(plan: Plan): Promise<number> {
  for (let i = 0; i < 10; i++) await run(plan);
  const before = process.cpuUsage();
  const runs = 20;
  for (let i = 0; i < runs; i++) await run(plan);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / runs;
}

if (import.meta.main) {
  console.log("| sampler | calls | CPU ms a run | CPU ms a call |");
  console.log("| --- | ---: | ---: | ---: |");
  for (const scheduler of SAMPLERS) {
    const plan = planOf(scheduler);
    const milliseconds = await cpuTime(plan);
    const calls = plan.stages.length;
    const cells = [scheduler, calls, milliseconds.toFixed(2), (milliseconds / calls).toFixed(3)];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
