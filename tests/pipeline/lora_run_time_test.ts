/** LoRAs as inputs of the networks, held against the same LoRAs merged. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GenerateOptions, type Image, type Lora, StableDiffusion } from "../../mod.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { toFloat32 } from "../../weights/read.ts";
import { type StoredTensor, tensorInMemory } from "../../weights/stored_tensor.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";
import { difference } from "./difference.ts";

const REFERENCE = fileURLToPath(new URL("../golden/reference/", import.meta.url));
const MODEL = join(REFERENCE, "models/sd1"), LORAS = join(REFERENCE, "lora");
const KOHYA = join(LORAS, "kohya.safetensors"), PEFT = join(LORAS, "peft.safetensors");
const OPTIONS: Omit<GenerateOptions, "prompt"> = {
  ...{ seed: 5, steps: 2, width: 64, height: 64, scheduler: "ddim" },
};
const PROMPT = "a fox in the snow";

/** Counts the sessions that are built while `work` runs. */
async function sessionsOf(work: () => Promise<void>): Promise<number> {
  const { build } = SessionBuilder.prototype;
  let count = 0;
  SessionBuilder.prototype.build = function (model) {
    count++;
    return build.call(this, model);
  };
  try {
    await work();
    return count;
  } finally {
    SessionBuilder.prototype.build = build;
  }
}

/** A LoRA of any rank, in kohya's names, on a linear layer, on convolutions and on the text. */
async function writeLora(path: string, rank: number, middle: boolean): Promise<string> {
  let seed = rank;
  const random = () => ((seed = (seed * 16807 + 11) % 2147483647) / 2147483647 - 0.5) / 4;
  const tensors: StoredTensor[] = [];
  const put = (name: string, shape: readonly number[]) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random);
    tensors.push(tensorInMemory(name, "F32", shape, values));
  };
  const model = await openSafetensors(join(MODEL, "unet/diffusion_pytorch_model.safetensors"));
  const text = await openSafetensors(join(MODEL, "text_encoder/model.safetensors"));
  const layers = [
    ["unet", "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"],
    ["unet", "down_blocks.0.resnets.0.conv1"],
    ["unet", "down_blocks.0.downsamplers.0.conv"],
    ["te", "text_model.encoder.layers.0.mlp.fc1"],
  ] as const;
  for (const [network, layer] of layers) {
    const source = network === "unet" ? model : text;
    const stored = source.get(`${layer}.weight`) ??
      source.get(`${layer}.weight`.replace("text_model.", ""));
    const [out, inner, ...kernel] = stored!.shape as [number, number, ...number[]];
    const name = `lora_${network}_${layer.replaceAll(".", "_")}`, ones = kernel.map(() => 1);
    const isMiddle = middle && kernel.length > 0;
    put(`${name}.lora_up.weight`, [out, rank, ...ones]);
    put(`${name}.lora_down.weight`, [rank, inner, ...(isMiddle ? ones : kernel)]);
    if (isMiddle) put(`${name}.lora_mid.weight`, [rank, rank, ...kernel]);
  }
  await writeSafetensors(path, tensors);
  return path;
}

/** Both modes from the same LoRAs; their largest difference, and that from none. */
async function compared(loras: readonly Lora[]): Promise<{ modes: number; style: number }> {
  await using merged = await StableDiffusion.open(MODEL, { threads: 1 });
  await using inputs = await StableDiffusion.open(MODEL, { threads: 1, loraMode: "runtime" });
  const run = { ...OPTIONS, prompt: PROMPT };
  const [a, b] = [
    await merged.generate({ ...run, loras }),
    await inputs.generate({ ...run, loras }),
  ];
  return { modes: difference(a, b), style: difference(a, await merged.generate(run)) };
}

Deno.test("LoRAs as inputs draw what they draw merged: kohya's and PEFT's, each and both", async () => {
  const kohya = { path: KOHYA, weight: 0.7 }, peft = { path: PEFT, weight: -0.4 };
  for (const loras of [[kohya], [peft], [kohya, peft]]) {
    const { modes, style } = await compared(loras);
    assert.ok(modes <= 1 && style > 5, `${modes} between the modes, ${style} from none`);
  }
});

Deno.test("LoRAs of different ranks, on convolutions with and without a middle, add up", () =>
  inTemporaryFolder(async (folder) => {
    const loras = [
      { path: await writeLora(join(folder, "a.safetensors"), 3, false), weight: 0.8 },
      { path: await writeLora(join(folder, "b.safetensors"), 5, true) },
    ];
    for (const some of [loras, loras.slice(1)]) {
      const { modes, style } = await compared(some);
      assert.ok(modes <= 1 && style > 5, `${modes} between the modes, ${style} from none`);
    }
    // A skipped layer, and skipped layers of the text encoder, have no inputs.
    await using sd = await StableDiffusion.open(MODEL, { threads: 1, loraMode: "runtime", loras });
    const skip = { skipLayerScale: 2, clipSkip: 1 };
    await sd.generate({ ...OPTIONS, ...skip, prompt: PROMPT });
  }));

Deno.test("LoRAs as inputs change from prompt to prompt without a new session", async () => {
  await using sd = await StableDiffusion.open(MODEL, {
    ...{ threads: 1, loraFolder: LORAS, loraMode: "runtime" },
  });
  const draw = async (prompt: string) => await sd.generate({ ...OPTIONS, prompt });
  const plain = await draw(PROMPT);
  const first = await draw(`${PROMPT}<lora:kohya:0.5><lora:peft:0.2>`);
  let styled: Image[] = [];
  const built = await sessionsOf(async () => {
    styled = [
      await draw(`${PROMPT}<lora:kohya:0.9>`),
      await draw(`${PROMPT}<lora:peft:1>`),
      await draw(`${PROMPT}<lora:kohya:0.5><lora:peft:0.2>`),
      await draw(`${PROMPT}<lora:kohya:0>`),
      await draw(PROMPT),
    ];
  });
  assert.equal(built, 0);
  assert.ok(difference(styled[0]!, first) > 0 && difference(styled[1]!, first) > 0);
  assert.deepEqual(styled[2]!.data, first.data);
  // A weight of zero is no LoRA at all, to the last bit.
  assert.deepEqual(styled[3]!.data, plain.data);
  assert.deepEqual(styled[4]!.data, plain.data);
  const rebuilt = await sessionsOf(async () => {
    await using merged = await StableDiffusion.open(MODEL, { threads: 1, loraFolder: LORAS });
    await merged.generate({ ...OPTIONS, prompt: `${PROMPT}<lora:kohya:0.5>` });
    await merged.generate({ ...OPTIONS, prompt: `${PROMPT}<lora:kohya:0.6>` });
  });
  assert.ok(rebuilt >= 5, `${rebuilt}: the count would see them`);
});

Deno.test("LoRAs that are no two matrices are merged, with one warning", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "full.safetensors");
    const name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    const model = await openSafetensors(join(MODEL, "unet/diffusion_pytorch_model.safetensors"));
    const { shape } = model.get(name)!, values = await toFloat32(model.get(name)!);
    const key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.diff";
    await writeSafetensors(path, [tensorInMemory(key, "F32", shape, values.slice())]);
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    await using sd = await StableDiffusion.open(MODEL, {
      ...{ threads: 1, loraMode: "runtime", onWarning },
    });
    const loras = [{ path }, { path: KOHYA, weight: 0.5 }];
    const mixed = await sd.generate({ ...OPTIONS, prompt: PROMPT, loras });
    await sd.generate({ ...OPTIONS, prompt: PROMPT, loras });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /full\.safetensors is merged/);
    await using merged = await StableDiffusion.open(MODEL, { threads: 1, loras });
    assert.ok(difference(mixed, await merged.generate({ ...OPTIONS, prompt: PROMPT })) <= 1);
  }));
