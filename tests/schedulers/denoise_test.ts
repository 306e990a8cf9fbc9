import assert from "node:assert/strict";
import { denoise, NotFiniteError } from "../../schedulers/denoise.ts";
import { noiseSource } from "../../schedulers/noise_source.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";

const SD = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
};
const planOf = (scheduler: string, steps: number) =>
  schedulerFromConfig(SD, { scheduler }).plan({ steps });

Deno.test("denoise() yields once a call, with the array it was given", async () => {
  const plan = planOf("heun", 4);
  const latents = Float32Array.of(1, 2, 3);
  const seen: number[] = [];
  for await (const step of denoise(plan, latents, (x) => x)) {
    assert.equal(step.latents, latents);
    assert.equal(step.count, 7);
    assert.equal(step.timestep, plan.stages[step.index]!.timestep);
    seen.push(step.index);
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("denoise() keeps what is written into the latents between steps", async () => {
  const plan = planOf("euler", 3);
  const latents = Float32Array.of(9);
  let shown = 0;
  const steps = denoise(plan, latents, (x) => {
    shown = x[0]!;
    return new Float32Array(1);
  });
  await steps.next();
  latents[0] = 5;
  await steps.next();
  assert.equal(shown, Math.fround(5 * plan.stages[1]!.inputScale));
});

Deno.test("denoise() lets the network reuse its output array", async () => {
  const run = async (reuse: boolean) => {
    const output = new Float32Array(4);
    const latents = Float32Array.of(1, -2, 3, -4);
    const predict = (x: Float32Array) => {
      const into = reuse ? output : new Float32Array(4);
      into.set(x.map((value) => value / 3));
      return into;
    };
    for await (const _ of denoise(planOf("dpm++2m", 6), latents, predict));
    return [...latents];
  };
  assert.deepEqual(await run(true), await run(false));
});

Deno.test("denoise() names the step at which numbers end", async () => {
  let calls = 0;
  const predict = (x: Float32Array) => ++calls === 3 ? x.map(() => NaN) : x;
  const run = async () => {
    for await (const _ of denoise(planOf("euler", 5), Float32Array.of(1, 2), predict));
  };
  await assert.rejects(run, (error: NotFiniteError) => {
    assert.ok(error instanceof NotFiniteError);
    assert.equal(error.index, 2);
    assert.match(error.message, /step 3 of 5 .*the network's output/);
    return true;
  });
});

Deno.test("denoise() stops at an AbortSignal before the next call, with its reason", async () => {
  const stop = new AbortController();
  let calls = 0;
  const run = async () => {
    const predict = (x: Float32Array) => (calls++, x);
    const steps = denoise(planOf("euler", 5), Float32Array.of(1), predict, undefined, {
      signal: stop.signal,
    });
    for await (const { index } of steps) if (index === 1) stop.abort(new Error("stop here"));
  };
  await assert.rejects(run, /stop here/);
  assert.equal(calls, 2);
});

Deno.test("denoise() asks for a noise source before the first call", async () => {
  const run = denoise(planOf("euler_a", 3), Float32Array.of(1), (x) => x);
  await assert.rejects(run.next(), /EulerAncestralDiscreteScheduler adds fresh noise/);
});

Deno.test("denoise() refuses outputs of another size", async () => {
  const run = denoise(planOf("euler", 3), new Float32Array(4), () => new Float32Array(8));
  await assert.rejects(run.next(), /got 8 values, expected 4/);
});

Deno.test("denoise() tells the noise source which piece of a Brownian path is wanted", async () => {
  const plan = planOf("DPM++ SDE", 4);
  const pieces: number[][] = [];
  const noise = (stage: typeof plan.stages[number]) => {
    const { from, to } = stage.next.interval!;
    pieces.push([from, to]);
    return new Float32Array(1);
  };
  for await (const _ of denoise(plan, Float32Array.of(1), (x) => x, noise));
  assert.equal(pieces.length, 6);
  // Pieces follow each other without gaps from the top of the path to its bottom.
  const near = (a: number, b: number) => assert.ok(Math.abs(a - b) <= 1e-6 * b, `${a}, not ${b}`);
  near(pieces[0]![0]!, plan.brownianPath!.to);
  near(pieces.at(-1)![1]!, plan.brownianPath!.from);
  for (let i = 1; i < pieces.length; i++) assert.equal(pieces[i]![0], pieces[i - 1]![1]);
});

Deno.test("noiseSource() draws one after the other, or from a path that steps do not change", () => {
  let drawn = 0;
  const normal = { normal: (count: number) => new Float32Array(count).fill(++drawn) };
  const plain = planOf("euler_a", 4);
  const source = noiseSource(plain, normal, 2, 0);
  assert.deepEqual([...source(plain.stages[0]!), ...source(plain.stages[1]!)], [1, 1, 2, 2]);

  const whole = (steps: number) => {
    const plan = planOf("DPM++ 3M SDE", steps);
    const draw = noiseSource(plan, normal, 2, 5);
    // All increments of a path, unscaled, add up to the same whole.
    return plan.stages.filter((stage) => stage.next.noise).reduce((sum, stage) => {
      const { from, to } = stage.next.interval!;
      return sum + draw(stage)[0]! * Math.sqrt(from - to);
    }, 0);
  };
  assert.ok(Math.abs(whole(5) - whole(12)) < 1e-4);
  assert.equal(drawn, 2);
});

Deno.test("denoise() thresholds each picture of a batch by itself", async () => {
  const config = {
    ...SD,
    _class_name: "DDIMScheduler",
    thresholding: true,
    dynamic_thresholding_ratio: 1,
    sample_max_value: 100,
    prediction_type: "sample",
  };
  const plan = schedulerFromConfig(config).plan({ steps: 1 });
  const latents = new Float32Array(4);
  const output = Float32Array.of(8, -4, 0.5, 0.25);
  for await (const step of denoise(plan, latents, () => output, undefined, { batch: 2 })) {
    assert.deepEqual([...step.denoised], [1, -0.5, 0.5, 0.25]);
  }
});

Deno.test("denoise() allocates the same arrays for 5 steps as for 50", async () => {
  const allocations = async (scheduler: string, steps: number) => {
    const plan = planOf(scheduler, steps);
    const latents = Float32Array.of(1, -2, 3);
    const answer = new Float32Array(3);
    const Original = Float32Array;
    let count = 0;
    globalThis.Float32Array = new Proxy(Original, {
      construct(target, values) {
        count++;
        return Reflect.construct(target, values);
      },
    });
    try {
      for await (const _ of denoise(plan, latents, () => answer, () => answer));
    } finally {
      globalThis.Float32Array = Original;
    }
    return count;
  };
  for (const scheduler of ["euler", "euler_a", "heun", "dpm++2m", "unipc", "lms", "rmsprop"]) {
    const few = await allocations(scheduler, 5);
    assert.ok(few > 0 && few < 12, `${scheduler} makes ${few} arrays`);
    assert.equal(await allocations(scheduler, 50), few, scheduler);
  }
});
