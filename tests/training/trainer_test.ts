import assert from "node:assert/strict";
import { cpu } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { add, input, log, mul, reduceSum } from "../../graph/mod.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import {
  adam,
  adamw,
  lion,
  momentum,
  type Optimizer,
  rmsprop,
  sgd,
} from "../../training/optimizers.ts";
import { DivergedError, Trainer } from "../../training/trainer.ts";
import { trainingStep, type TrainingStepOptions } from "../../training/training_step.ts";
import { assertClose } from "./close.ts";
import { GOLDEN } from "./golden.ts";

const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads: 1 });
const { start, gradients, rates, paths } = GOLDEN.optimizers;

/** A parameter whose gradient is whatever is fed as `slope`. */
async function slope(options: Omit<TrainingStepOptions, "loss" | "parameters">): Promise<Trainer> {
  const p = input("p", "float32", [6]), given = input("slope", "float32", [6]);
  const step = trainingStep({ parameters: [p], loss: reduceSum(mul(p, given)), ...options });
  return await Trainer.create(builder, step, new Map([["p", Float32Array.from(start)]]));
}

const OPTIMIZERS: Record<string, Optimizer> = {
  sgd: sgd({ weightDecay: 0.1 }),
  momentum: momentum({ weightDecay: 0.1 }),
  nesterov: momentum({ momentum: 0.8, nesterov: true }),
  rmsprop: rmsprop({ decay: 0.9, weightDecay: 0.1 }),
  adam: adam({ weightDecay: 0.1 }),
  adamw: adamw({ weightDecay: 0.1, betas: [0.8, 0.95] }),
  lion: lion({ weightDecay: 0.1 }),
};

for (const [name, optimizer] of Object.entries(OPTIMIZERS)) {
  Deno.test(`${name} walks the path of torch's`, async () => {
    using trainer = await slope({ optimizer });
    for (const [i, gradient] of gradients.entries()) {
      await trainer.step({ slope: Float32Array.from(gradient) }, rates[i]!);
      assertClose(trainer.state.get("p")!, paths[name]![i]!, 2e-6, `step ${i}`);
    }
  });
}

Deno.test("trainingStep accumulates gradients into one update of their mean", async () => {
  using trainer = await slope({ optimizer: sgd(), accumulate: 2 });
  const p = () => [...trainer.state.get("p")!];
  await trainer.step({ slope: Float32Array.from(gradients[0]!) }, 0.1);
  assertClose(p(), start, 1e-8, "after one of two");
  await trainer.step({ slope: Float32Array.from(gradients[1]!) }, 0.1);
  const mean = gradients[0]!.map((g, i) => (g + gradients[1]![i]!) / 2);
  assertClose(p(), start.map((x, i) => x - 0.1 * mean[i]!), 1e-6, "after two");
  assertClose(trainer.state.get("p/gradient")!, new Float32Array(6), 0, "the sum starts again");
});

Deno.test("trainingStep keeps an exponential average of the parameters", async () => {
  using trainer = await slope({ optimizer: sgd(), average: 0.75 });
  let average: readonly number[] = start;
  for (const gradient of gradients) {
    await trainer.step({ slope: Float32Array.from(gradient) }, 0.1);
    const p = trainer.state.get("p")!;
    average = average.map((a, i) => 0.75 * a + 0.25 * p[i]!);
  }
  assertClose(trainer.byParameter("average").get("p")!, average, 1e-6, "average");
});

Deno.test("trainingStep clips gradients by their common norm as torch does", async () => {
  const golden = GOLDEN.clipping;
  for (const { most, norm, clipped } of [golden.short, golden.long]) {
    const a = input("a", "float32", [3, 2]), b = input("b", "float32", [4]);
    const ga = input("ga", "float32", [3, 2]), gb = input("gb", "float32", [4]);
    const loss = reduceSum(mul(a, ga)), other = reduceSum(mul(b, gb));
    const options = { parameters: [a, b], loss: add(loss, other), optimizer: sgd() };
    const step = trainingStep({ ...options, clipNorm: most });
    const zero = new Map([["a", new Float32Array(6)], ["b", new Float32Array(4)]]);
    using trainer = await Trainer.create(builder, step, zero);
    const [first, second] = golden.gradients.map((g) => Float32Array.from(g));
    const result = await trainer.step({ ga: first!, gb: second! }, 1);
    assertClose([result.norm], [norm], 1e-5, "norm");
    assertClose(trainer.state.get("a")!.map((x) => -x), clipped[0]!, 1e-6, "a");
    assertClose(trainer.state.get("b")!.map((x) => -x), clipped[1]!, 1e-6, "b");
  }
});

Deno.test("Trainer stops at a loss that is no number, and keeps the state before it", async () => {
  const p = input("p", "float32", [1]), x = input("x", "float32", [1]);
  const step = trainingStep({
    parameters: [p],
    loss: reduceSum(log(mul(p, x))),
    optimizer: adam(),
  });
  using trainer = await Trainer.create(builder, step, new Map([["p", Float32Array.of(2)]]));
  await trainer.step({ x: Float32Array.of(1) }, 0.1);
  const before = new Map([...trainer.state].map(([name, array]) => [name, [...array]]));
  const failing = trainer.step({ x: Float32Array.of(-1) }, 0.1);
  await assert.rejects(failing, (error) => error instanceof DivergedError && error.step === 1);
  assert.equal(trainer.steps, 1);
  assert.deepEqual(new Map([...trainer.state].map(([name, array]) => [name, [...array]])), before);
});

Deno.test("Trainer refuses a batch that does not fit, by name", async () => {
  using trainer = await slope({ optimizer: sgd() });
  await assert.rejects(() => trainer.step({}, 1), /Cannot feed slope: got no elements/);
  await assert.rejects(() => trainer.step({ slope: new Float32Array(5) }, 1), /expected 6/);
});
