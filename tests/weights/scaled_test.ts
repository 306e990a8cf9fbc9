import assert from "node:assert/strict";
import { join } from "node:path";
import { StableDiffusion } from "../../mod.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { widener } from "../../weights/convert.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { toFloat16, toFloat32 } from "../../weights/read.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { type StoredTensor, tensorInMemory } from "../../weights/stored_tensor.ts";
import { inFolder, MODEL } from "../cli/process.ts";

openRuntime(); // stays loaded: no leak of the test that happens to come first

type Float8 = "F8_E4M3" | "F8_E5M2";

/** The nearest of a type's 256 numbers for each value. */
function rounded(values: Float32Array, dtype: Float8): Uint8Array<ArrayBuffer> {
  const numbers = new Float32Array(256);
  widener(dtype)(Uint8Array.from({ length: 256 }, (_, i) => i), numbers);
  const order = [...numbers.keys()].filter((i) => Number.isFinite(numbers[i]!))
    .sort((a, b) => numbers[a]! - numbers[b]!);
  return Uint8Array.from(values, (value) => {
    let low = 0, high = order.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (numbers[order[middle]!]! <= value) low = middle;
      else high = middle;
    }
    const [a, b] = [order[low]!, order[high]!];
    return value - numbers[a]! < numbers[b]! - value ? a : b;
  });
}

/** The weights of a network in float8, with or without scales, and as what they stand for. */
async function inFloat8(path: string, dtype: Float8, withScale: boolean) {
  const source = await openWeights(path), small: StoredTensor[] = [], same: StoredTensor[] = [];
  for (const name of source.names()) {
    const values = await toFloat32(source.get(name)!), { shape } = source.get(name)!;
    const isWeight = name.endsWith(".weight") && shape.length > 1;
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const scale = withScale && isWeight ? Math.fround(largest / 448) : 1;
    const bytes = rounded(values.map((v) => v / scale), dtype);
    small.push(tensorInMemory(name, dtype, shape, bytes));
    if (withScale && isWeight) {
      const beside = name.replace(/weight$/, "scale_weight");
      small.push(tensorInMemory(beside, "F32", [], Float32Array.of(scale)));
      const input = name.replace(/weight$/, "scale_input");
      small.push(tensorInMemory(input, "F32", [], Float32Array.of(1)));
    }
    const back = new Float32Array(bytes.length);
    widener(dtype)(bytes, back);
    same.push(tensorInMemory(name, "F32", shape, back.map((v) => v * scale)));
  }
  if (withScale) small.push(tensorInMemory("scaled_fp8", dtype, [0], new Uint8Array()));
  return { small, same };
}

for (
  const [dtype, withScale] of [["F8_E4M3", true], ["F8_E4M3", false], ["F8_E5M2", false]] as const
) {
  const what = `${dtype}${withScale ? " with scales" : ""}`;
  Deno.test(`a U-Net in ${what} draws what the numbers that it stands for draw`, () =>
    inFolder(async (folder) => {
      const pictures = [];
      const weights = "unet/diffusion_pytorch_model.safetensors";
      const { small, same } = await inFloat8(join(MODEL, weights), dtype, withScale);
      for (const [name, tensors] of Object.entries({ small, same })) {
        const copy = join(folder, name);
        await new Deno.Command("cp", { args: ["-r", MODEL, copy] }).output();
        await Deno.remove(join(copy, weights));
        await writeSafetensors(join(copy, weights), tensors, {});
        await using sd = await StableDiffusion.open(copy);
        pictures.push(
          await sd.generate({ prompt: "a fox", seed: 1, steps: 2, width: 64, height: 64 }),
        );
      }
      const [a, b] = pictures;
      const worst = a!.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b!.data[i]!)), 0);
      // The same numbers; but those in memory and those in a file are summed in another order.
      assert.ok(worst <= 1, `off by ${worst}`);
      assert.ok(new Set(a!.data).size > 20, "a picture");
    }));
}

Deno.test("withScales() multiplies, hides the scales, and refuses scales of channels", () =>
  inFolder(async (folder) => {
    const path = join(folder, "x.safetensors");
    const one = tensorInMemory("a.weight", "F8_E4M3", [2], Uint8Array.of(0x38, 0xb8)); // 1, -1
    const write = (name: string, scale: Float32Array) =>
      writeSafetensors(path, [one, tensorInMemory(name, "F32", [scale.length], scale)], {});
    for (const name of ["a.scale_weight", "a.weight_scale"]) {
      await write(name, Float32Array.of(3));
      const source = await openWeights(path);
      assert.deepEqual([...source.names()], ["a.weight"]);
      assert.deepEqual([...await toFloat32(source.get("a.weight")!)], [3, -3]);
      assert.deepEqual([...await toFloat16(source.get("a.weight")!)], [3, -3]);
    }
    await write("a.scale_weight", Float32Array.of(1, 2));
    await assert.rejects(openWeights(path), /a\.scale_weight holds a scale for each channel/);
  }));
