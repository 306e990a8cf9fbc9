import assert from "node:assert/strict";
import { cpu } from "../../ffi/providers.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { torchRandn } from "../../schedulers/random/torch_cpu.ts";
import { DIGIT_SIZE, loadDigits, pick } from "../../training/digits_data.ts";
import { trainClassifier, trainDenoiser, trainLikeness } from "../../training/digits_training.ts";
import {
  classifierAccuracy,
  climb,
  denoiseDigits,
  finiteDifferences,
  pixelGradient,
} from "../../training/digits_use.ts";

const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads: 1 });
const { training: digits, heldOut } = await loadDigits();

Deno.test("loadDigits gives ten thousand pictures, a tenth of each digit held out", () => {
  assert.equal(digits.labels.length + heldOut.labels.length, 10_000);
  for (let digit = 0; digit < 10; digit++) {
    const count = (labels: Uint8Array) => labels.filter((label) => label === digit).length;
    assert.ok(Math.abs(count(heldOut.labels) / count(digits.labels) - 1 / 9) < 0.01);
  }
  assert.ok(digits.pixels.every((pixel) => pixel >= -1 && pixel <= 1));
});

Deno.test("trainClassifier reads held-out digits", async () => {
  const trained = await trainClassifier({ builder, digits, steps: 100, batch: 32 });
  const some = pick(heldOut, Array.from({ length: 200 }, (_, i) => (i * 37) % 997));
  const accuracy = await classifierAccuracy(builder, trained, some);
  assert.ok(accuracy > 0.8, `accuracy ${accuracy}`);
});

Deno.test("pixelGradient equals central differences, and leads uphill from noise", async () => {
  const trained = await trainLikeness({ builder, digits, steps: 60, batch: 32 });
  const noise = torchRandn(3, DIGIT_SIZE);
  const { gradient, likeness } = await pixelGradient(builder, trained, noise);
  const differences = await finiteDifferences(builder, trained, noise);
  const off = Math.hypot(...differences.map((value, i) => value - gradient[i]!));
  assert.ok(off < 0.01 * Math.hypot(...gradient), `off by ${off}`);
  let last = -Infinity;
  for await (const { likeness } of climb(builder, trained, noise)) last = likeness;
  assert.ok(last >= 1 && likeness[0]! < 0.7, `from ${likeness[0]} to ${last}`);
});

Deno.test("denoiseDigits paints what looks more like digits than its noise", async () => {
  const judge = await trainLikeness({ builder, digits, steps: 60, batch: 32 });
  const trained = await trainDenoiser({ builder, digits, steps: 30, batch: 16 });
  const noise = torchRandn(9, 4 * DIGIT_SIZE);
  const made = await denoiseDigits(builder, trained, noise, 8);
  const mean = async (pictures: Float32Array) => {
    const { likeness } = await pixelGradient(builder, judge, pictures);
    return likeness.reduce((a, b) => a + b) / likeness.length;
  };
  const [before, after] = [await mean(noise), await mean(made)];
  assert.ok(after > before + 0.3, `likeness ${before} before, ${after} after`);
});
