import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StableDiffusion } from "../../mod.ts";
import { DivergedError, TrainingError, trainTextualInversion } from "../../training/mod.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { toFloat32 } from "../../weights/read.ts";
import { checkpointPath } from "../../training/checkpoint.ts";
import { finished, inFolder, pictures } from "./run.ts";

const TEAL = { images: pictures("teal"), token: "<teal>", initWord: "green" };

async function vectors(path: string, token: string): Promise<Float32Array> {
  return await toFloat32((await openSafetensors(path)).get(token)!);
}

Deno.test("trainTextualInversion makes the pictures likelier: lower losses on the same batches", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "teal.safetensors");
    const options = { ...TEAL, output, steps: 40, batch: 2 };
    const learning = (await finished(trainTextualInversion({ ...options, rate: 1e-3 }))).losses;
    const still = (await finished(trainTextualInversion({ ...options, rate: 0 }))).losses;
    const late = (losses: number[]) => losses.slice(20).reduce((a, b) => a + b) / 20;
    assert.equal(learning[0], still[0]);
    assert.ok(late(learning) < 0.95 * late(still), `${late(learning)} after ${late(still)}`);
  });
});

Deno.test("trainTextualInversion resumed after a stop equals a run in one go", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "a.safetensors"), whole = join(folder, "b.safetensors");
    const options = { ...TEAL, steps: 6, saveEvery: 2, seed: 3, accumulate: 2 };
    const { losses } = await finished(trainTextualInversion({ ...options, output: whole }));
    for await (const event of trainTextualInversion({ ...options, output })) {
      if (event.kind === "update" && event.step === 3) break;
    }
    const { losses: rest } = await finished(
      trainTextualInversion({ ...options, output, resume: true }),
    );
    assert.deepEqual(rest, losses.slice(2), "from the checkpoint at step 2 on");
    assert.deepEqual(await Deno.readFile(output), await Deno.readFile(whole));

    const other = trainTextualInversion({ ...options, output, resume: true, batch: 2 });
    await assert.rejects(() => finished(other), /other options; got batch 1, now 2/);
    const absent = trainTextualInversion({ ...options, output: join(folder, "c"), resume: true });
    await assert.rejects(() => finished(absent), /Cannot resume: there is no .*c\.checkpoint/);
  });
});

Deno.test("trainTextualInversion begins as the word given, several vectors as its tokens", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "x.safetensors");
    const still = { ...TEAL, output, steps: 1, rate: 0 };
    await finished(trainTextualInversion({ ...still, vectors: 2 }));
    const two = await vectors(output, "<teal>");
    await finished(trainTextualInversion(still));
    const one = await vectors(output, "<teal>");
    assert.equal(two.length, 2 * one.length);
    assert.deepEqual(two.subarray(0, one.length), one);
    assert.deepEqual(two.subarray(one.length), one);
    await using sd = await StableDiffusion.open(undefined, { embeddings: [output] });
    const [known, learned] = [await sd.encode("green"), await sd.encode("<teal>")];
    assert.deepEqual(known.hiddenStates, learned.hiddenStates);
  });
});

Deno.test("trainTextualInversion names what cannot be learned from", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "x.safetensors");
    const refused = (change: object, message: RegExp) =>
      assert.rejects(
        () => finished(trainTextualInversion({ ...TEAL, output, steps: 1, ...change })),
        (error) => error instanceof TrainingError && message.test(error.message),
      );
    await refused({ images: folder }, /no readable picture; got 0 PNG/);
    await refused({ images: join(folder, "none") }, /there is no such folder/);
    await refused({ token: "red" }, /"red": it is a word of this model's vocabulary already/);
    await refused({ initWord: "zebra crossing" }, /reads it as \d+ tokens; got .*expected 1\./);
    await refused({ resolution: 63 }, /at 63 pixels: expected a multiple of 4/);
    await refused({ steps: 0 }, /steps must be a whole number from 1 on; got 0/);
    await refused({ optimizer: "magic" }, /expected one of sgd, momentum/);

    await copyFile(join(TEAL.images, "teal-1.png"), join(folder, "good.png"));
    await writeFile(join(folder, "bad.png"), "not a picture");
    await refused({ images: folder, strict: true }, /bad\.png: it is not a picture/);
    const lenient = trainTextualInversion({ ...TEAL, output, images: folder, steps: 1 });
    assert.deepEqual((await finished(lenient)).skipped, ["bad.png"]);
  });
});

Deno.test("trainTextualInversion stops when parameters overflow, and the checkpoint stays", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "x.safetensors");
    const options = { ...TEAL, output, optimizer: "sgd" };
    await finished(trainTextualInversion({ ...options, steps: 1 }));
    const good = await Deno.readFile(checkpointPath(output));
    const absurd = trainTextualInversion({ ...options, steps: 2, rate: 1e45, resume: true });
    await assert.rejects(
      () => finished(absurd),
      (error) => error instanceof DivergedError && /at step 2 .*parameters/.test(error.message),
    );
    assert.deepEqual(await Deno.readFile(checkpointPath(output)), good);
  });
});
