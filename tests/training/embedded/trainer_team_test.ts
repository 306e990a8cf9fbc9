import assert from "node:assert/strict";
import { cpu } from "../../../ffi/providers.ts";
import { openRuntime } from "../../../ffi/runtime.ts";
import { input } from "../../../graph/value.ts";
import { SessionBuilder } from "../../../pipeline/session_builder.ts";
import { TrainerTeam } from "../../../training/embedded/trainer_team.ts";
import { meanSquaredError } from "../../../training/losses.ts";
import { sgd } from "../../../training/optimizers.ts";
import { trainingStep } from "../../../training/training_step.ts";

const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads: 1 });

/** Two trainers that pull one number, from 0, to what their batches say. */
async function team(): Promise<TrainerTeam> {
  const number = input("number", "float32", [1]);
  const loss = meanSquaredError(number, input("wanted", "float32", [1]));
  const step = trainingStep({ parameters: [number], loss, optimizer: sgd() });
  return await TrainerTeam.create(builder, step, new Map([["number", Float32Array.of(0)]]), 2);
}

const toward = (a: number, b: number) => [
  { wanted: Float32Array.of(a) },
  { wanted: Float32Array.of(b) },
];

Deno.test("TrainerTeam takes the mean of its trainers after four steps", async () => {
  using both = await team();
  // Each step of rate 0.25 goes half the way: after four, 15/16 of it.
  for (let i = 0; i < 4; i++) await both.step(toward(16, 32), 0.25);
  assert.deepEqual([...both.byParameter("parameter").get("number")!], [(15 + 30) / 2]);
  const { loss } = await both.step(toward(22.5, 23.5), 0.25);
  assert.equal(loss, 0.5, "the mean of 0 and 1, from where both agreed");
});

Deno.test("TrainerTeam goes on from its state as if it had not stopped", async () => {
  using first = await team();
  using second = await team();
  for (let i = 0; i < 4; i++) await first.step(toward(1, 2), 0.1);
  second.restore(first.state, 4);
  for (const both of [first, second]) await both.step(toward(5, 7), 0.1);
  assert.deepEqual(first.state.get("number"), second.state.get("number"));
  assert.equal(second.steps, 5);
});
