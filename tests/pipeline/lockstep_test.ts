import assert from "node:assert/strict";
import { type BatchSource, inStep } from "../../pipeline/lockstep.ts";
import type { Answer, Ask } from "../../pipeline/unet_batch.ts";
import type { UNetBatches } from "../../pipeline/unet_batches.ts";

/** Answers each ask by the number in it, and remembers what was asked together. */
function source(answering: (signal?: AbortSignal) => Promise<void> = async () => {}) {
  const runs: number[][] = [];
  let released = 0;
  const batches = {
    async answer(asks: readonly Ask[], signal?: AbortSignal): Promise<Answer[]> {
      runs.push(asks.map(({ input: [number] }) => number!));
      await answering(signal);
      return asks.map(({ input }) => ({ prediction: input }));
    },
    [Symbol.dispose]: () => void released++,
  } as unknown as UNetBatches;
  const source: BatchSource = { batches: () => batches };
  return { source, runs, released: () => released };
}

const ask = (number: number) =>
  ({ input: Float32Array.of(number), conditioning: { tokens: 77 } }) as unknown as Ask;
const numberIn = ([answer]: readonly Answer[]) => answer!.prediction[0];

Deno.test("inStep() answers what all ask at once, each with its own answers", async () => {
  const { source: unet, runs, released } = source();
  const results = await inStep([1, 2, 3].map((number) => async (seat) => {
    assert.equal(seat!.count, 3);
    const first = await seat!.ask(unet, [ask(number)]);
    const second = await seat!.ask(unet, [ask(10 * number), ask(100 * number)]);
    return [numberIn(first), ...second.map((answer) => answer.prediction[0])];
  }));
  assert.deepEqual(runs, [[1, 2, 3], [10, 100, 20, 200, 30, 300]]);
  assert.deepEqual(results.map((result) => result.status === "fulfilled" && result.value), [
    [1, 10, 100],
    [2, 20, 200],
    [3, 30, 300],
  ]);
  assert.equal(released(), 1);
});

Deno.test("inStep() goes on without those that end or fail, before they ask and after", async () => {
  const { source: unet, runs } = source();
  const results = await inStep([0, 1, 2, 3].map((number) => async (seat) => {
    if (number === 0) throw new Error("none");
    for (let i = 0; i < number; i++) await seat!.ask(unet, [ask(number)]);
    if (number === 2) throw new Error("late");
    return number;
  }));
  assert.deepEqual(runs, [[1, 2, 3], [2, 3], [3]]);
  assert.deepEqual(results.map(({ status }) => status), [
    ...["rejected", "fulfilled", "rejected", "fulfilled"],
  ]);
});

Deno.test("inStep() begins pictures one after another", async () => {
  const { source: unet } = source(), begun: string[] = [];
  await inStep([0, 1].map((number) => async (seat) => {
    begun.push(`${number} begins`);
    await Promise.resolve();
    begun.push(`${number} asks`);
    await seat!.ask(unet, [ask(number)]);
  }));
  assert.deepEqual(begun, ["0 begins", "0 asks", "1 begins", "1 asks"]);
});

Deno.test("inStep() gives a single picture no seat", async () => {
  const [result] = await inStep([(seat) => Promise.resolve(seat)]);
  assert.deepEqual(result, { status: "fulfilled", value: undefined });
});

Deno.test("a picture that is stopped leaves at once; the run stops when all are", async () => {
  const controllers = [new AbortController(), new AbortController()];
  let stopped: unknown;
  const { source: unet, runs } = source((signal) =>
    new Promise((resolve, reject) => {
      signal!.addEventListener("abort", () => reject(stopped = signal!.reason));
      if (runs.length === 1) setTimeout(resolve, 20);
      queueMicrotask(() => controllers[runs.length - 1]!.abort(new Error(`stop ${runs.length}`)));
    })
  );
  const results = await inStep([0, 1].map((number) => async (seat) => {
    const { signal } = controllers[number]!;
    for (let i = 0; i < 2; i++) await seat!.ask(unet, [ask(number)], signal);
  }));
  assert.deepEqual(runs, [[0, 1], [1]]);
  assert.deepEqual(results.map((result) => result.status === "rejected" && result.reason.message), [
    "stop 1",
    "stop 2",
  ]);
  assert.equal((stopped as Error).message, "stop 2");
});

Deno.test("a run of the U-Net that fails fails for all that asked", async () => {
  const { source: unet } = source(() => Promise.reject(new Error("no memory")));
  const results = await inStep([1, 2].map((number) => (seat) => seat!.ask(unet, [ask(number)])));
  assert.deepEqual(results.map((result) => result.status === "rejected" && result.reason.message), [
    "no memory",
    "no memory",
  ]);
});

Deno.test("a seat knows whether its picture ever asked one thing only", async () => {
  const { source: unet } = source(),
    longer = {
      ...ask(2),
      conditioning: { tokens: 154 },
    } as unknown as Ask;
  const asked = [[ask(1), ask(2)], [ask(1)], [ask(1), longer]];
  const results = await inStep(asked.map((asks) => async (seat) => {
    await seat!.ask(unet, asks);
    return seat!.askedOne;
  }));
  assert.deepEqual(results.map((result) => result.status === "fulfilled" && result.value), [
    ...[false, true, true],
  ]);
});
