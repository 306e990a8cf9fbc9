import assert from "node:assert/strict";
import { UsageError } from "../../cli/flags.ts";
import { schedulerOptionsOf } from "../../cli/generate_flags.ts";

type Flags = Parameters<typeof schedulerOptionsOf>[0];
const of = (...options: string[]) => schedulerOptionsOf({ "scheduler-option": options } as Flags);

Deno.test("--scheduler-option reads names in any spelling and numbers, words, true and false", () => {
  assert.deepEqual(of("momentum=-0.5", "learning_rate_schedule=cosine", "exact-steps=true"), {
    momentum: -0.5,
    learningRateSchedule: "cosine",
    exactSteps: true,
  });
  assert.deepEqual(of("sTmax=1e1"), { sTmax: 10 });
});

Deno.test("--scheduler-option refuses what is no pair", () => {
  for (const text of ["momentum", "=1", "momentum="]) assert.throws(() => of(text), UsageError);
});
