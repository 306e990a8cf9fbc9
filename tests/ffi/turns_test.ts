import assert from "node:assert/strict";
import { Turns } from "../../ffi/turns.ts";

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("Turns runs jobs one at a time, in order", async () => {
  const turns = new Turns(), events: string[] = [];
  const job = (name: string, ms: number) => async () => {
    events.push(`${name} begins`);
    await pause(ms);
    events.push(`${name} ends`);
    return name;
  };
  const results = [turns.take(job("a", 5)), turns.take(job("b", 0)), turns.take(job("c", 0))];
  assert.equal(turns.busy, true);
  assert.deepEqual(await Promise.all(results), ["a", "b", "c"]);
  assert.equal(events.join(), "a begins,a ends,b begins,b ends,c begins,c ends");
  assert.equal(turns.busy, false);
});

Deno.test("Turns goes on after a job that fails", async () => {
  const turns = new Turns();
  const failed = turns.take(() => Promise.reject(new Error("no")));
  const next = turns.take(() => Promise.resolve(1));
  await assert.rejects(failed, /no/);
  assert.equal(await next, 1);
});

Deno.test("Turns gives up a waiting job at once when its signal aborts, and keeps the order", async () => {
  const turns = new Turns(), gate = Promise.withResolvers<void>(), stop = new AbortController();
  const ran: string[] = [];
  const first = turns.take(async () => {
    await gate.promise;
    ran.push("first");
  });
  const second = turns.take(() => Promise.resolve(ran.push("second")), stop.signal);
  const third = turns.take(() => Promise.resolve(ran.push("third")));
  stop.abort("enough");
  await assert.rejects(second, (reason) => reason === "enough");
  assert.deepEqual(ran, [], "the first still runs, so the third still waits");
  gate.resolve();
  await Promise.all([first, third]);
  assert.deepEqual(ran, ["first", "third"]);
});
