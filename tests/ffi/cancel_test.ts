import assert from "node:assert/strict";
import { loopFeeds, model, ort } from "./fixtures.ts";

const ENDLESS = 1e9;

Deno.test("run stops when its signal aborts, and the session stays usable", async () => {
  using session = ort().createSession(model("loop"), { intraOpThreads: 1 });
  const stop = new AbortController(), reason = new Error("enough");
  setTimeout(() => stop.abort(reason), 10);
  await assert.rejects(session.run(loopFeeds(ENDLESS), { signal: stop.signal }), reason);
  const { y } = await session.run(loopFeeds(1));
  assert.equal(y?.data[0], 0.5);
});

Deno.test("run does not begin when its signal has aborted", async () => {
  using session = ort().createSession(model("loop"), { intraOpThreads: 1 });
  const signal = AbortSignal.abort("before");
  await assert.rejects(session.run(loopFeeds(ENDLESS), { signal }), (r) => r === "before");
});

Deno.test("run gives up its place in the queue when its signal aborts", async () => {
  using session = ort().createSession(model("loop"), { intraOpThreads: 1 });
  const first = new AbortController(), second = new AbortController();
  const running = session.run(loopFeeds(ENDLESS), { signal: first.signal });
  const waiting = session.run(loopFeeds(ENDLESS), { signal: second.signal });
  second.abort("second");
  await assert.rejects(waiting, (reason) => reason === "second");
  first.abort("first");
  await assert.rejects(running, (reason) => reason === "first");
});

Deno.test("a binding's run stops when its signal aborts", async () => {
  using session = ort().createSession(model("loop"), { intraOpThreads: 1 });
  const { count, x } = loopFeeds(ENDLESS);
  using binding = session.bind().bindInput("count", count).bindInput("x", x)
    .bindOutput("y", { name: "Cpu" });
  const stop = new AbortController();
  setTimeout(() => stop.abort("enough"), 10);
  await assert.rejects(binding.run({ signal: stop.signal }), (reason) => reason === "enough");
  binding.bindInput("count", loopFeeds(2).count);
  await binding.run();
  assert.equal(binding.outputs()["y"]?.data[0], 0.25);
});

Deno.test("runSync refuses to overtake a nonblocking run", async () => {
  using session = ort().createSession(model("loop"), { intraOpThreads: 1 });
  const stop = new AbortController();
  const running = session.run(loopFeeds(ENDLESS), { signal: stop.signal });
  assert.throws(() => session.runSync(loopFeeds(1)), /a nonblocking run is going on/);
  stop.abort();
  await assert.rejects(running, { name: "AbortError" });
});

Deno.test("disposing the session during a run lets the run finish", async () => {
  const session = ort().createSession(model("loop"), { intraOpThreads: 1 });
  const feeds = loopFeeds(2000);
  const running = session.run(feeds);
  session.dispose();
  feeds.x.dispose();
  feeds.count.dispose();
  using y = (await running)["y"];
  assert.equal(y?.data.length, 64 * 64);
});
