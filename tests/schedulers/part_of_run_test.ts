import assert from "node:assert/strict";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";

const CONFIG = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" };
const NAMES = ["EulerDiscreteScheduler", "HeunDiscreteScheduler", "PNDMScheduler", "DDIMScheduler"];

for (const name of NAMES) {
  const scheduler = schedulerFromConfig({ ...CONFIG, _class_name: name, skip_prk_steps: true });
  const timesteps = (request: Parameters<typeof scheduler.plan>[0]) =>
    scheduler.plan(request).stages.map(({ timestep }) => timestep);

  Deno.test(`a plan of ${name} in two parts makes every call of the whole one`, () => {
    const whole = timesteps({ steps: 10 });
    for (const share of [0.25, 0.5, 0.8]) {
      const first = timesteps({ steps: 10, denoisingEnd: share });
      const rest = timesteps({ steps: 10, denoisingStart: share });
      const cut = 1000 - share * 1000;
      assert.ok(first.every((t) => t >= cut) && rest.slice(1).every((t) => t < cut));
      // A step of two calls that the share cuts in two is done by both.
      const twice = first.length + rest.length - whole.length;
      assert.deepEqual([...first, ...rest.slice(twice)], whole);
      assert.ok(twice === 0 || (name.startsWith("Heun") && twice === 1), `${twice} calls twice`);
    }
  });
}

Deno.test("a plan refuses parts that are none", () => {
  const { plan } = schedulerFromConfig({ ...CONFIG, _class_name: NAMES[0] });
  assert.throws(() => plan({ steps: 5, denoisingStart: 0.8, denoisingEnd: 0.2 }), /0\.8 to 0\.2/);
  assert.throws(
    () => plan({ steps: 2, denoisingStart: 0.6, denoisingEnd: 0.7 }),
    /no step lies between 0.6 and 0.7/,
  );
  const adaptive = schedulerFromConfig(CONFIG, { scheduler: "DPMAdaptive" });
  assert.throws(() => adaptive.plan({ steps: 5, denoisingEnd: 0.5 }), /adaptive steps/);
});
