import assert from "node:assert/strict";
import golden from "../golden/guidance.json" with { type: "json" };
import {
  batchParts,
  cfgPlusPlusScale,
  classifierFreeGuidance,
  editGuidance,
  guidanceApplies,
  rescaleGuidance,
} from "../../schedulers/guidance.ts";
import {
  GuidanceMomentum,
  perpendicularNegativeGuidance,
  projectedGuidance,
} from "../../schedulers/guidance_projection.ts";
import { dynamicThreshold } from "../../schedulers/guidance_threshold.ts";

const { images } = golden;
const uncond = () => Float32Array.from(golden.uncond);
const cond = () => Float32Array.from(golden.cond);
const third = () => Float32Array.from(golden.third);

function assertClose(actual: Float32Array, want: ArrayLike<number>, tolerance: number) {
  assert.equal(actual.length, want.length);
  actual.forEach((x, i) => {
    const limit = tolerance * Math.max(1, Math.abs(want[i]!));
    assert.ok(Math.abs(x - want[i]!) <= limit, `element ${i}: got ${x}, want ${want[i]}`);
  });
}

Deno.test("classifierFreeGuidance equals diffusers bit for bit, in place", () => {
  for (const { scale, result } of golden.cfg) {
    const target = uncond();
    assert.equal(classifierFreeGuidance(target, cond(), scale), target);
    assert.deepEqual([...target], result, `scale ${scale}`);
  }
});

Deno.test("classifierFreeGuidance writes elsewhere when asked and leaves its inputs", () => {
  const a = uncond(), b = cond(), out = new Float32Array(a.length);
  assert.equal(classifierFreeGuidance(a, b, 7.5, out), out);
  assert.deepEqual([a, b], [uncond(), cond()]);
  assert.deepEqual([...out], golden.cfg.find(({ scale }) => scale === 7.5)!.result);
});

Deno.test("batchParts gives views of [uncond..., cond...] without copying", () => {
  const batch = Float32Array.from([...golden.uncond, ...golden.cond]);
  const [first, second] = batchParts(batch, 2);
  classifierFreeGuidance(first!, second!, 7.5);
  assert.equal(first!.buffer, batch.buffer);
  assert.deepEqual(second, cond());
  assert.notEqual(batch[0], golden.uncond[0]);
  assert.throws(() => batchParts(new Float32Array(7), 2), /RangeError.*7 elements/);
});

Deno.test("editGuidance equals InstructPix2Pix in diffusers bit for bit", () => {
  for (const { scale, imageScale, result } of golden.edit) {
    const parts = { text: cond(), image: third(), uncond: uncond() };
    assert.deepEqual([...editGuidance(parts, scale, imageScale)], result);
  }
});

Deno.test("rescaleGuidance equals rescale_noise_cfg of diffusers bit for bit, image by image", () => {
  for (const { amount, result } of golden.rescale) {
    const guided = classifierFreeGuidance(uncond(), cond(), 7.5);
    assert.deepEqual([...rescaleGuidance(guided, cond(), amount, images)], result, `${amount}`);
  }
});

Deno.test("rescaleGuidance leaves an image without deviation alone", () => {
  assert.deepEqual(
    rescaleGuidance(new Float32Array(8).fill(2), Float32Array.from({ length: 8 }, Math.random), 1),
    new Float32Array(8).fill(2),
  );
});

Deno.test("guidanceApplies counts steps as diffusers' guiders do", () => {
  const on = (start: number, stop: number) =>
    [...Array(10).keys()].filter((step) => guidanceApplies(step, 10, start, stop));
  assert.deepEqual(on(0, 1), [...Array(10).keys()]);
  assert.deepEqual(on(0.25, 0.79), [2, 3, 4, 5, 6]);
  assert.deepEqual(on(0.5, 0.5), []);
  assert.throws(() => guidanceApplies(0, 10, 0.6, 0.5), RangeError);
  assert.throws(() => guidanceApplies(0, 10, 0, 1.1), RangeError);
});

Deno.test("cfgPlusPlusScale makes an Euler step equal the CFG++ step", () => {
  const x = third(), sigma = 5, next = 3.2, lambda = 0.6;
  const wanted = x.map((value, i) => {
    const guided = golden.uncond[i]! + lambda * (golden.cond[i]! - golden.uncond[i]!);
    return guided + next * (value - golden.uncond[i]!) / sigma;
  });
  const denoised = classifierFreeGuidance(uncond(), cond(), cfgPlusPlusScale(lambda, sigma, next));
  const keep = next / sigma;
  assertClose(x.map((value, i) => keep * value + (1 - keep) * denoised[i]!), wanted, 1e-5);
  assert.equal(cfgPlusPlusScale(0.6, 5, 0), 0.6);
  assert.throws(() => cfgPlusPlusScale(0.6, 1, 1), /RangeError.*noise must fall/);
});

Deno.test("projectedGuidance equals diffusers' adaptive projected guidance, with momentum", () => {
  for (const { results, momentum: factor, ...settings } of golden.projected) {
    const momentum = factor === undefined ? {} : { momentum: new GuidanceMomentum(factor) };
    [cond(), third()].forEach((prediction, k) => {
      const options = { ...settings, ...momentum, images } as Parameters<
        typeof projectedGuidance
      >[2];
      assertClose(projectedGuidance(uncond(), prediction, options), results[k]!, 2e-6);
    });
  }
});

Deno.test("perpendicularNegativeGuidance ignores a negative prompt along the prompt", () => {
  const negative = uncond().map((x, i) => x + 0.7 * (golden.cond[i]! - x));
  const parts = { cond: cond(), negative, empty: uncond() };
  const got = perpendicularNegativeGuidance(parts, { scale: 7.5, images });
  assertClose(got, classifierFreeGuidance(uncond(), cond(), 7.5), 1e-5);
});

Deno.test("perpendicularNegativeGuidance subtracts the whole of a perpendicular one", () => {
  const parts = {
    cond: Float32Array.of(3, 1, 0, 2),
    negative: Float32Array.of(1, 3, 2, 0),
    empty: Float32Array.of(1, 1, 0, 0),
  };
  const got = perpendicularNegativeGuidance(parts, { scale: 2, weight: 0.5, images: 2 });
  assert.deepEqual([...got], [5, -1, -2, 4]);
});

Deno.test("dynamicThreshold equals a thresholding scheduler of diffusers bit for bit", () => {
  for (const { result, ...options } of golden.threshold) {
    const sample = Float32Array.from(golden.thresholdSample);
    assert.deepEqual([...dynamicThreshold(sample, { ...options, images })], result);
  }
});

Deno.test("guidance functions refuse predictions of different sizes", () => {
  const short = new Float32Array(3);
  assert.throws(() => classifierFreeGuidance(uncond(), short, 7), /RangeError.*got 120 and 3/);
  assert.throws(() => rescaleGuidance(uncond(), short, 0.7), RangeError);
  assert.throws(() => rescaleGuidance(uncond(), cond(), 0.7, 7), RangeError);
  assert.throws(() => projectedGuidance(uncond(), short, { scale: 7 }), RangeError);
  assert.throws(() => dynamicThreshold(short, { images: 2 }), RangeError);
});
