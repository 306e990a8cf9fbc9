import { strict as assert } from "node:assert";
import { openRuntime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { input, toOnnx } from "../../graph/mod.ts";
import { tokenMerger } from "../../models/token_merging.ts";

const runtime = openRuntime();

/** Merged and unmerged tokens of `data` [batch, height * width, channels]. */
function run(
  data: Float32Array,
  [batch, height, width, channels]: readonly [number, number, number, number],
  ratio: number,
): { merged: Float32Array; tokens: number; unmerged: Float32Array } {
  const shape = [batch, height * width, channels], x = input("x", "float32", shape);
  const merger = tokenMerger(x, [height, width], ratio), merged = merger.merge(x);
  const { bytes } = toOnnx({ inputs: [x], outputs: { merged, unmerged: merger.unmerge(merged) } });
  using session = runtime.createSession(bytes, { intraOpThreads: 1 });
  using tensor = Tensor.from(runtime, "float32", data, shape);
  const { merged: a, unmerged: b } = session.runSync({ x: tensor });
  const copy = (of: Tensor) => (of.data as Float32Array).slice();
  return { merged: copy(a!), tokens: a!.shape[1]!, unmerged: copy(b!) };
}

/** The same by loops. */
function reference(
  data: Float32Array,
  [batch, height, width, channels]: readonly [number, number, number, number],
  ratio: number,
): Float32Array {
  const out = new Float32Array(data.length), places = height * width;
  for (let b = 0; b < batch; b++) {
    const vector = (i: number) => data.subarray((b * places + i) * channels).slice(0, channels);
    const dot = (i: number, j: number) => {
      const [p, q] = [vector(i), vector(j)];
      return p.reduce((sum, v, c) => sum + v * q[c]!, 0) / Math.hypot(...p) / Math.hypot(...q);
    };
    const all = Array.from({ length: places }, (_, i) => i);
    const kept = all.filter((i) => i % width % 2 === 0 && Math.floor(i / width) % 2 === 0);
    const others = all.filter((i) => !kept.includes(i)).map((i) => {
      const [best] = kept.toSorted((p, q) => dot(i, q) - dot(i, p));
      return { i, best: best!, alike: dot(i, best!) };
    });
    const count = Math.min(Math.floor(places * ratio), others.length);
    const merged = others.toSorted((p, q) => q.alike - p.alike).slice(0, count);
    for (const place of all) {
      const token = merged.find(({ i }) => i === place)?.best ?? place;
      const group = [token, ...merged.filter(({ best }) => best === token).map(({ i }) => i)];
      for (let c = 0; c < channels; c++) {
        const sum = group.reduce((total, i) => total + vector(i)[c]!, 0);
        out[(b * places + place) * channels + c] = sum / group.length;
      }
    }
  }
  return out;
}

const noise = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * i + 1));

for (const ratio of [0.1, 0.5, 0.75]) {
  for (const size of [[2, 4, 6, 3], [1, 3, 5, 4]] as const) {
    Deno.test(`tokenMerger merges ${ratio} of ${size} as the loops of the paper do`, () => {
      const data = noise(size.reduce<number>((a, b) => a * b, 1));
      const { unmerged } = run(data, size, ratio), expected = reference(data, size, ratio);
      unmerged.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${i}`));
    });
  }
}

Deno.test("tokenMerger leaves as many tokens as are not merged, one of four at least", () => {
  const size = [1, 4, 4, 2] as const, data = noise(32);
  assert.equal(run(data, size, 0.5).tokens, 8);
  assert.equal(run(data, size, 0.75).tokens, 4);
  assert.equal(run(noise(50), [1, 5, 5, 2], 0.75).tokens, 9);
});

Deno.test("tokenMerger loses nothing where places are the same", () => {
  // Two halves of the picture, each of one vector.
  const alike = Float32Array.from({ length: 32 }, (_, i) => Math.cos(Math.trunc(i / 16) + (i % 2)));
  const { unmerged } = run(alike, [1, 4, 4, 2], 0.75);
  unmerged.forEach((value, i) => assert.ok(Math.abs(value - alike[i]!) < 1e-6, `${i}`));
});
