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

Deno.test("pixelGradient equals central differences, and leads from noise back to digits", async () => {
  const trained = await trainLikeness({ builder, digits, steps: 60, batch: 32 });
  const { pixels } = pick(heldOut, Array.from({ length: 20 }, (_, i) => 49 * i));
  const noise = torchRandn(3, pixels.length), noisy = pixels.map((x, i) => x + 2 * noise[i]!);
  const { gradient } = await pixelGradient(builder, trained, noisy, 2);
  const error = (f: (i: number) => number) =>
    pixels.reduce((sum, x, i) => sum + (f(i) - x) ** 2, 0) / pixels.length;
  const left = error((i) => noisy[i]! + gradient[i]!);
  assert.ok(left < 0.4 && error((i) => noisy[i]!) > 3.5, `squared error ${left} after the slope`);

  const first = noisy.slice(0, DIGIT_SIZE), slope = gradient.subarray(0, DIGIT_SIZE);
  const differences = await finiteDifferences(builder, trained, first, 2);
  const off = Math.hypot(...differences.map((value, i) => value - slope[i]!));
  assert.ok(off < 0.02 * Math.hypot(...slope), `off by ${off}`);
});

Deno.test("climb takes the noise out step by step, the same for the same seed", async () => {
  const trained = await trainLikeness({ builder, digits, steps: 10, batch: 16 });
  const way = () => Array.fromAsync(climb(builder, trained, { count: 2, seed: 4, steps: 5 }));
  const [a, b] = [await way(), await way()];
  assert.deepEqual(a, b);
  assert.deepEqual(a.map(({ level }) => level.toFixed(1)), [
    "4.0",
    "2.6",
    "1.5",
    "0.8",
    "0.3",
    "0.0",
  ]);
  const spread = (pictures: Float32Array) => Math.hypot(...pictures.map((x) => x + 0.74));
  assert.ok(spread(a.at(-1)!.pictures) < 0.3 * spread(a[0]!.pictures));
  assert.ok(a.at(-1)!.pictures.every((x) => Math.abs(x) <= 1));
});

Deno.test("denoiseDigits paints what has digits' darkness in place of its noise", async () => {
  const trained = await trainDenoiser({ builder, digits, steps: 30, batch: 16 });
  const noise = torchRandn(9, 4 * DIGIT_SIZE);
  const made = await denoiseDigits(builder, trained, noise, 8);
  const away = (pictures: Float32Array) => {
    const mean = pictures.reduce((a, b) => a + b) / pictures.length;
    return Math.abs(mean + 0.74);
  };
  assert.ok(away(made) < 0.75 * away(noise), `${away(noise)} before, ${away(made)} after`);
});
