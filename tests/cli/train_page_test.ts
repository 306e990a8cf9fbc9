import assert from "node:assert/strict";
import { join } from "node:path";
import { TrainPage } from "../../cli/train_page.ts";
import { Image } from "../../mod.ts";
import type { TrainingEvent } from "../../training/mod.ts";
import { inFolder, names } from "./process.ts";

/** The page of a run of `updates` updates with three samples, and what is left beside it. */
function pageOf(updates: number, finish: boolean): Promise<{ page: string; files: string[] }> {
  return inFolder(async (folder) => {
    const report = join(folder, "run.html");
    const page = new TrainPage("lora", { report, steps: 400n, "sample-prompt": ["a cat & a dog"] });
    const samples = (step: number): TrainingEvent => {
      const data = new Uint8ClampedArray(12).fill(step);
      const image = new Image(2, 2, data);
      return { kind: "samples", step, samples: [{ prompt: "a cat & a dog", image }] };
    };
    for (let step = 0; step < updates; step++) {
      if (step % 100 === 0) page.hear(samples(step));
      const fields = { loss: 1 / (step + 1), norm: 2, rate: 1e-4, seconds: 0.5 };
      page.hear({ kind: "update", step: step + 1, steps: 400, ...fields });
    }
    page.hear({ kind: "saved", path: "cat.safetensors" });
    if (finish) page.finish();
    await page.write(report);
    const files = names(folder);
    return { page: files.length > 0 ? await Deno.readTextFile(report) : "", files };
  });
}

Deno.test("TrainPage is one file with curves, samples, settings, time and memory", async () => {
  const { page, files } = await pageOf(400, true);
  assert.deepEqual(files, ["run.html"]);
  assert.match(page, /400 of 400 updates/);
  assert.match(page, /The result is cat\.safetensors/);
  const curves = [...page.matchAll(/<svg role="img"[^>]*aria-label="([^"]*)"/g)];
  assert.deepEqual(curves.map(([, name]) => name), [
    "The loss",
    "The learning rate",
    "The length of the gradient, before it is shortened",
  ]);
  const pictures = new Set(page.match(/data:image\/png;base64,[^"]*/g));
  assert.equal(pictures.size, 4, "before, three on the way");
  assert.match(page, /a cat &amp; a dog, after 300/);
  assert.match(page, /<td>--steps<\/td><td>400<\/td>/);
  assert.match(page, /an update, median<\/td><td>0\.500 s/);
  assert.match(page, /memory of the process, the most at an update<\/td><td>\d+\.\d\d GB/);
  assert.doesNotMatch(page, /(src|href)="(?!data:)/, "nothing from elsewhere");
  assert.doesNotMatch(page, /What this run checked/);
});

Deno.test("TrainPage says of a run that stopped where it did, and nothing of one that never began", async () => {
  assert.match((await pageOf(42, false)).page, /42 of 400 updates.*--resume/);
  assert.deepEqual((await pageOf(0, false)).files, []);
});

Deno.test("TrainPage refuses a folder that is not there before anything runs", () => {
  assert.throws(
    () => new TrainPage("lora", { report: "/nowhere/at/all/x.html" }),
    /no such folder/,
  );
});
