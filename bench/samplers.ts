/**
 * What does a sampler cost beside the network? One run of 20 steps over the latents of a 1024 x 1024
 * picture, 4 x 128 x 128 values, with a network that answers at once; and planning alone.
 */
import { denoise } from "../schedulers/denoise.ts";
import { schedulerFromConfig } from "../schedulers/scheduler.ts";

const SD = {
  _class_name: "PNDMScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  skip_prk_steps: true,
  steps_offset: 1,
};
const SIZE = 4 * 128 * 128;
const NOISE = Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i * 12.9898) * 1.4);
const OUTPUT = NOISE.toReversed();

for (const scheduler of ["pndm", "euler", "euler_a", "heun", "dpm++2m", "unipc", "deis", "lms"]) {
  const plan = schedulerFromConfig(SD, { scheduler }).plan({ steps: 20 });
  Deno.bench(`${scheduler}, ${plan.stages.length} calls`, { group: "run" }, async () => {
    const latents = NOISE.map((z) => z * plan.initialScale);
    for await (const _ of denoise(plan, latents, () => OUTPUT, () => NOISE));
  });
}

Deno.bench("plan dpm++2m karras", { group: "plan" }, () => {
  schedulerFromConfig(SD, { scheduler: "DPM++ 2M Karras" }).plan({ steps: 20 });
});
