import assert from "node:assert/strict";
import { betaQuantile } from "../../schedulers/beta_distribution.ts";
import { arange, linspace, roundHalfEven } from "../../schedulers/float32.ts";
import {
  alignYourStepsSigmas,
  exponentialSigmas,
  karrasSigmas,
  klOptimalSigmas,
  polyexponentialSigmas,
  sigmaToTimestep,
  simpleSigmas,
} from "../../schedulers/sigmas.ts";
import { spaceTimesteps } from "../../schedulers/spacing.ts";

const close = (a: number, b: number, error = 1e-12) =>
  assert.ok(Math.abs(a - b) <= error * Math.abs(b), `${a}, not ${b}`);

Deno.test("betaQuantile() equals SciPy's beta.ppf at 0.6, 0.6", () => {
  // scipy.stats.beta.ppf(p, 0.6, 0.6), SciPy 1.17
  close(betaQuantile(0.9, 0.6, 0.6), 0.9604155944112192);
  close(betaQuantile(0.5, 0.6, 0.6), 0.5);
  close(betaQuantile(0.1, 0.6, 0.6), 0.03958440558878085);
  close(betaQuantile(0.02, 0.6, 0.6), 0.002732982024577027);
  close(betaQuantile(0.001, 0.6, 0.6), 1.855873851745199e-5);
  assert.equal(betaQuantile(0, 0.6, 0.6), 0);
  assert.equal(betaQuantile(1, 0.6, 0.6), 1);
});

Deno.test("betaQuantile() is the identity for a = b = 1 and a root for b = 1", () => {
  for (const p of [0.01, 0.3, 0.77]) {
    close(betaQuantile(p, 1, 1), p);
    close(betaQuantile(p, 2, 1), Math.sqrt(p));
  }
});

Deno.test("karrasSigmas() is even in the seventh root", () => {
  const roots = karrasSigmas(4, { max: 128, min: 1 }).map((s) => s ** (1 / 7));
  close(roots[1]! - roots[0]!, roots[3]! - roots[2]!);
  close(karrasSigmas(4, { max: 128, min: 1 })[0]!, 128);
});

Deno.test("polyexponentialSigmas() with rho 1 are exponentialSigmas()", () => {
  const range = { max: 14.6, min: 0.03 };
  const plain = exponentialSigmas(9, range);
  polyexponentialSigmas(9, range).forEach((s, i) => close(s, plain[i]!));
});

Deno.test("klOptimalSigmas() ends where it is told", () => {
  const sigmas = klOptimalSigmas(5, { max: 10, min: 0.1 });
  close(sigmas[0]!, 10);
  close(sigmas[4]!, 0.1);
});

Deno.test("alignYourStepsSigmas() of 10 steps are the published ones", () => {
  const sigmas = alignYourStepsSigmas(10, "sd");
  [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152]
    .forEach((published, i) => close(sigmas[i]!, published));
});

Deno.test("simpleSigmas() counts from the noisy end", () => {
  assert.deepEqual([...simpleSigmas(2, Float32Array.of(1, 2, 3, 4))], [4, 2]);
});

Deno.test("sigmaToTimestep() inverts the table and clamps to it", () => {
  const logs = Float32Array.of(0.5, 1, 2, 4).map(Math.log);
  close(sigmaToTimestep(2, logs), 2, 1e-6);
  close(sigmaToTimestep(Math.SQRT2, logs), 1.5, 1e-6);
  assert.equal(sigmaToTimestep(100, logs), 3);
  assert.equal(sigmaToTimestep(0, logs), 0);
});

Deno.test("roundHalfEven() rounds halves to even numbers", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven), [0, 2, 2, 2, 3]);
});

Deno.test("linspace() ends exactly and arange() has NumPy's last entry", () => {
  assert.equal(linspace(0, 999, 7).at(-1), 999);
  assert.equal(linspace(5, 9, 1)[0], 5);
  assert.equal(arange(1000, 0, -1000 / 3).length, 3);
});

Deno.test("spaceTimesteps() never makes more timesteps than steps, nor a negative one", () => {
  for (let steps = 1; steps <= 1000; steps++) {
    const timesteps = spaceTimesteps("trailing", steps, {
      trained: 1000,
      offset: 0,
      fractional: false,
      dropLast: false,
    });
    assert.equal(timesteps.length, steps);
    assert.ok(timesteps.at(-1)! >= 0, `${steps} steps end at ${timesteps.at(-1)}`);
  }
});

Deno.test("spaceTimesteps() spaces as Lin et al. 2023 tabulate", () => {
  const options = { trained: 1000, offset: 1, fractional: false, dropLast: false };
  assert.deepEqual(spaceTimesteps("leading", 4, options), [751, 501, 251, 1]);
  assert.deepEqual(spaceTimesteps("trailing", 4, options), [999, 749, 499, 249]);
  assert.deepEqual(spaceTimesteps("linspace", 4, options), [999, 666, 333, 0]);
});
