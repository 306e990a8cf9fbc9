import assert from "node:assert/strict";
import {
  HEAPS,
  mixtureAt,
  perfectNoise,
  rightShare,
  SPREAD,
  spreadOf,
} from "../../explain/mixture.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";

Deno.test("mixtureAt() gives the slope of its own energy", () => {
  const h = 1e-5;
  for (const [x, y, sigma] of [[0.2, 0.1, 0.5], [-0.9, 0.3, 1], [0.05, -1, 0.3]] as const) {
    const { slopeX, slopeY } = mixtureAt(x, y, sigma);
    const energy = (dx: number, dy: number) => mixtureAt(x + dx, y + dy, sigma).energy;
    assert.ok(Math.abs(slopeX + (energy(h, 0) - energy(-h, 0)) / (2 * h)) < 1e-6);
    assert.ok(Math.abs(slopeY + (energy(0, h) - energy(0, -h)) / (2 * h)) < 1e-6);
  }
});

Deno.test("perfectNoise() sees a far point's noise as its way from the heaps' mean", () => {
  const { stages } = schedulerFromConfig({ _class_name: "EulerDiscreteScheduler" }).plan({
    steps: 2,
  });
  const stage = stages[0]!, x = 50;
  const { inputScale, level, sigma } = stage, scale = inputScale * level.signal;
  const [seen] = perfectNoise(Float32Array.of(x * scale, 0), stage);
  const nearest = HEAPS[1]!.x;
  assert.ok(Math.abs(seen! - sigma * (x - nearest) / (SPREAD ** 2 + sigma ** 2)) < 0.2);
});

Deno.test("rightShare() and spreadOf() read points", () => {
  const [left, right] = HEAPS as [typeof HEAPS[number], typeof HEAPS[number]];
  const points = Float32Array.of(left.x, left.y, right.x + 0.3, right.y + 0.4);
  assert.equal(rightShare(points), 0.5);
  assert.ok(Math.abs(spreadOf(points) - 0.25) < 1e-6);
});
