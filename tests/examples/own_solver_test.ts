import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Image, StableDiffusion } from "../../mod.ts";

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const MODEL = path("tests/golden/reference/models/sd1");

Deno.test("examples/own_solver.ts draws what gradient estimation with gamma 1.5 draws", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "own.png");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", path("examples/own_solver.ts"), file, MODEL],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const own = await Image.load(file);
    await using sd = await StableDiffusion.open(MODEL);
    const named = await sd.generate({
      prompt: "a red seven on a blue background",
      seed: 1,
      steps: 10,
      scheduler: "gradient_estimation",
      schedulerOptions: { geGamma: 1.5, sigmaSchedule: "trained" },
    });
    assert.equal(own.width, named.width);
    // The last steps differ: the built-in one's is Euler's.
    const different = own.data.filter((value, i) => Math.abs(value - named.data[i]!) > 8).length;
    assert.ok(different < own.data.length / 20, `${different} of ${own.data.length} values differ`);
    assert.match(own.text.parameters ?? "", /Sampler: two-step/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("generate() refuses options for a scheduler that is given whole", async () => {
  await using sd = await StableDiffusion.open(MODEL);
  const plan = sd.plan({ prompt: "", steps: 2, scheduler: "euler" });
  const whole = { name: "whole", settings: {} as never, plan: () => plan };
  const options = { prompt: "", steps: 2, scheduler: whole };
  assert.equal(sd.plan(options), plan);
  assert.throws(
    () => sd.plan({ ...options, schedulerOptions: { eta: 0.5 } }),
    { name: "OptionError", message: /whole.*got eta/ },
  );
});
