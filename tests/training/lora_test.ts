import assert from "node:assert/strict";
import { join } from "node:path";
import { cpu } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { mergeLoras } from "../../pipeline/lora.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { batchOf } from "../../training/batches.ts";
import { Computation } from "../../training/computation.ts";
import { denoiserGraph, noiseSettings } from "../../training/denoiser_graph.ts";
import { encodePictures } from "../../training/examples.ts";
import { TrainingError, trainLora } from "../../training/mod.ts";
import { readPictureFolder } from "../../training/picture_folder.ts";
import { encodedText, idsName } from "../../training/text_graph.ts";
import type { Batch } from "../../training/trainer.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { assertClose } from "./close.ts";
import { finished, inFolder, pictures } from "./run.ts";

const OUTLINE = { images: pictures("outline"), token: "outline", rank: 2, rate: 0.01, seed: 5 };

/** The loss of the embedded model with a LoRA merged, on the batch of a step. */
async function mergedLoss(path: string, step: number): Promise<number> {
  const parts = await mergeLoras(await openModel(undefined), [{ path }]);
  const builder = new SessionBuilder(openRuntime(), { providers: [cpu()] });
  const folder = await readPictureFolder(OUTLINE.images, { width: 64, height: 64 });
  const images = folder.pictures.map(({ image }) => image);
  const latents = await encodePictures(parts, builder, images, { seed: OUTLINE.seed });
  const { tokenizer } = parts.textEncoders[0]!;
  const batch: Batch = batchOf({
    groups: [latents.map((latents, i) => ({
      latents,
      weight: 1,
      prompts: [folder.pictures[i]!.caption!.replace(/^(an?) /, "a outline ")],
    }))],
    batch: 1,
    seed: OUTLINE.seed,
    noise: noiseSettings(parts),
    prompts: ([prompt]) => ({
      [idsName(0)]: BigInt64Array.from(tokenizer.encode(prompt!).ids, BigInt),
    }),
  }, step);
  const shape = { batch: 1, height: 16, width: 16 };
  const { loss } = denoiserGraph(parts, shape, encodedText(parts, shape, () => ({})));
  using computation = await Computation.build(builder, { loss });
  return (await computation.run(batch)).loss[0]!;
}

Deno.test("trainLora writes kohya's files, which merged act as the adapters did", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "outline.safetensors");
    const options = { ...OUTLINE, alpha: 3, targets: "all", textEncoder: true, output } as const;
    await finished(trainLora({ ...options, steps: 2 }));
    const expected = await mergedLoss(output, 2);
    const { losses } = await finished(trainLora({ ...options, steps: 3, resume: true }));
    assertClose(losses, [expected], 2e-5, "the loss of the third step");
    const keys = [...(await openSafetensors(output)).names()];
    assert.ok(keys.some((key) => key.includes("resnets_0_conv1.lora_down")));
    assert.ok(keys.some((key) => /^lora_te_text_model_.*_mlp_fc1\.alpha/.test(key)));
  });
});

Deno.test("trainLora writes PEFT's files of the attention, and checkpointing changes no number", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "outline.safetensors");
    const options = { ...OUTLINE, names: "peft", output } as const;
    await finished(trainLora({ ...options, steps: 2 }));
    const expected = await mergedLoss(output, 2);
    const again = { ...options, steps: 3, resume: true, checkpointing: true };
    assertClose((await finished(trainLora(again))).losses, [expected], 2e-5, "the third loss");
    const keys = [...(await openSafetensors(output)).names()];
    assert.ok(keys.every((key) => /^unet\..*\.attn[12]\.to_(q|k|v|out\.0)\.lora_[AB]\./.test(key)));
  });
});

Deno.test("trainLora names what is missing for pictures without captions", async () => {
  await inFolder(async (folder) => {
    await Deno.copyFile(join(OUTLINE.images, "outline-1.png"), join(folder, "a.png"));
    const output = join(folder, "x.safetensors");
    const refused = (change: object, message: RegExp) =>
      assert.rejects(
        () => finished(trainLora({ ...OUTLINE, output, steps: 1, ...change })),
        (error) => error instanceof TrainingError && message.test(error.message),
      );
    await refused({ images: folder }, /a\.png: it has no caption, and no prompt is given/);
    await refused({ rank: 0 }, /rank 0/);
    await refused({ classImages: OUTLINE.images }, /batches of 1: .* Give an even number/);
  });
});
