import assert from "node:assert/strict";
import { noiseTable } from "../../schedulers/noise_table.ts";
import { readSettings } from "../../schedulers/read_settings.ts";
import { float32, readGolden } from "./golden.ts";

interface GoldenTable {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly alphas_cumprod: string;
  readonly sigmas?: string;
}

/** Numbers of ulps between two positive float32 vectors, element by element. */
function ulps(a: Float32Array, b: Float32Array): number[] {
  const [x, y] = [new Int32Array(a.buffer), new Int32Array(b.buffer)];
  return Array.from(x, (value, i) => Math.abs(value - y[i]!));
}

const { tables } = await readGolden<{ tables: GoldenTable[] }>("noise_tables");

for (const golden of tables) {
  const table = noiseTable(readSettings(golden.config, { rescaleBetasZeroSnr: false }), false);
  const distances = ulps(table.alphasCumprod, float32(golden.alphas_cumprod));
  // The exponential function decides sigmoid's last bits; zero-SNR tables go through torch's square
  // root, which on x86 is not correctly rounded (5 of 1000 entries), and then through a product.
  const exact = !golden.name.includes("zero snr") && !golden.name.startsWith("sigmoid");
  Deno.test(`noiseTable() of ${golden.name} is torch's ${exact ? "bit for bit" : "within 8 ulps"}`, () => {
    assert.equal(distances.length, 1000);
    assert.ok(Math.max(...distances) <= (exact ? 0 : 8), `${Math.max(...distances)} ulps`);
  });
  if (golden.sigmas === undefined) continue;
  Deno.test(`noiseTable() sigmas of ${golden.name} differ by torch's square root only`, () => {
    const off = ulps(table.sigmas, float32(golden.sigmas!)).filter((distance) => distance > 0);
    if (!exact) return assert.ok(Math.max(...off) <= 8);
    assert.ok(off.length <= 20, `${off.length} entries differ`);
    assert.ok(off.every((distance) => distance === 1));
  });
}

Deno.test("noiseTable() takes trained betas as they are", () => {
  const settings = readSettings({ trained_betas: [0.5, 0.25] }, {});
  assert.deepEqual([...noiseTable(settings, false).alphasCumprod], [0.5, 0.375]);
});

Deno.test("noiseTable() refuses an unknown schedule and says which exist", () => {
  const settings = readSettings({ beta_schedule: "quadratic" }, {});
  assert.throws(() => noiseTable(settings, false), /"quadratic".*scaled_linear/);
});

Deno.test("noiseTable() leaves sigma samplers a last bit of signal in zero-SNR tables", () => {
  const settings = readSettings({ rescale_betas_zero_snr: true }, { rescaleBetasZeroSnr: false });
  assert.equal(noiseTable(settings, false).alphasCumprod.at(-1), 0);
  assert.equal(noiseTable(settings, true).alphasCumprod.at(-1), 2 ** -24);
  assert.ok(Math.abs(noiseTable(settings, true).sigmas.at(-1)! - 4096) < 1e-3);
});
