import assert from "node:assert/strict";
import { join } from "node:path";
import { shared } from "../../cli/devices.ts";
import { Image } from "../../mod.ts";
import { inFolder, run } from "./process.ts";

async function* counting(count: number): AsyncGenerator<number, void, void> {
  for (let i = 0; i < count; i++) yield await Promise.resolve(i);
}

Deno.test("shared gives each item once, to whichever worker is free", async () => {
  const seen: [string, number][] = [];
  await shared(["slow", "fast"], counting(6), async (worker, item) => {
    await new Promise((resolve) => setTimeout(resolve, worker === "slow" ? 100 : 5));
    seen.push([worker, item]);
  });
  assert.deepEqual(seen.map(([, item]) => item).sort(), [0, 1, 2, 3, 4, 5]);
  assert.equal(seen.filter(([worker]) => worker === "slow").length, 1);
});

Deno.test("shared stops at a failure, when the others have ended what they do", async () => {
  const ended: number[] = [];
  const work = async (_: string, item: number) => {
    if (item === 1) throw new Error("no memory");
    await new Promise((resolve) => setTimeout(resolve, 30));
    ended.push(item);
  };
  await assert.rejects(shared(["a", "b"], counting(9), work), /no memory/);
  assert.deepEqual(ended, [0]);
});

// Without GPUs both devices fall back to the processor: what is tested is the sharing.
Deno.test("--device 0,1 draws the pictures that one device draws", () =>
  inFolder(async (folder) => {
    const some = ["generate", "a red seven", "--seed", "1", "--count", "4", "--steps", "2"];
    const providers = ["--provider", "cuda,cpu", "--batch", "1"];
    const { code, errors } = await run(
      ...[...some, ...providers, "--device", "0,1", "-o", join(folder, "two-{seed}.png")],
    );
    assert.equal(code, 0, errors);
    await run(...[...some, ...providers, "-o", join(folder, "one-{seed}.png")]);
    for (const seed of [1, 2, 3, 4]) {
      const [one, two] = await Promise.all(
        ["one", "two"].map((name) => Image.load(join(folder, `${name}-${seed}.png`))),
      );
      assert.deepEqual(two!.data, one!.data, `seed ${seed}`);
    }
  }));
