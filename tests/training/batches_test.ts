import assert from "node:assert/strict";
import { noiseTable } from "../../schedulers/noise_table.ts";
import { LIBRARY_DEFAULTS } from "../../schedulers/settings.ts";
import { batchOf, type BatchSource } from "../../training/batches.ts";
import { assertClose } from "./close.ts";

/** Examples whose latents are their number. */
function group(first: number, count: number, weight = 1) {
  return Array.from({ length: count }, (_, i) => ({
    latents: new Float32Array(4).fill(first + i),
    prompts: [`prompt ${first + i}`],
    weight,
  }));
}

const source: BatchSource = {
  groups: [group(0, 5)],
  batch: 2,
  seed: 1,
  noise: { table: noiseTable(LIBRARY_DEFAULTS, false), prediction: "epsilon" },
  prompts: (prompts) => ({ number: Float32Array.from(prompts, (text) => Number(text.slice(7))) }),
};

/** Numbers of the examples of the first `count` batches. */
function shown(count: number, of = source): number[] {
  return Array.from({ length: count }, (_, step) => [...batchOf(of, step).number!]).flat()
    .map(Number);
}

Deno.test("batchOf shows every example once an epoch, in another order each time", () => {
  const order = shown(10);
  const epochs = [0, 5, 10, 15].map((at) => order.slice(at, at + 5));
  for (const epoch of epochs) assert.deepEqual([...epoch].sort(), [0, 1, 2, 3, 4]);
  assert.ok(new Set(epochs.map(String)).size > 1);
});

Deno.test("batchOf depends on seed and step alone", () => {
  assert.deepEqual(batchOf(source, 7), batchOf({ ...source }, 7));
  assert.notDeepEqual(batchOf(source, 7).noise, batchOf(source, 8).noise);
  assert.notDeepEqual(batchOf(source, 7).noise, batchOf({ ...source, seed: 2 }, 7).noise);
});

Deno.test("batchOf mixes groups in equal shares, with their weights and prompts", () => {
  const both = { ...source, groups: [group(0, 3), group(10, 7, 0.5)] };
  for (let step = 0; step < 6; step++) {
    const { number, latents, weight } = batchOf(both, step);
    assert.ok(Number(number![0]) < 10 && Number(number![1]) >= 10);
    assert.deepEqual([latents![0], latents![4]], [...number!]);
    assertClose(weight as Float32Array, [1, 0.5], 0, "weights");
  }
});

Deno.test("batchOf gives the noise level of its timesteps, at unit variance", () => {
  const { timestep, signal, sigma } = batchOf(source, 0) as Record<string, Float32Array>;
  timestep!.forEach((t, i) => {
    const alpha = source.noise.table.alphasCumprod[t]!;
    assertClose([signal![i]! ** 2, sigma![i]! ** 2], [alpha, 1 - alpha], 1e-6, `timestep ${t}`);
  });
});
