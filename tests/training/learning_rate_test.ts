import {
  constantRate,
  cosineRate,
  learningRate,
  oneCycleRate,
} from "../../training/learning_rate.ts";
import { assertClose } from "./close.ts";
import { GOLDEN } from "./golden.ts";

const ten = Array.from({ length: 10 }, (_, i) => i);

Deno.test("cosineRate equals torch's CosineAnnealingLR", () => {
  assertClose(ten.map(cosineRate(0.1, 10)), GOLDEN.schedules.cosine, 1e-9, "cosine");
});

Deno.test("oneCycleRate equals torch's OneCycleLR", () => {
  assertClose(ten.map(oneCycleRate(0.1, 10)), GOLDEN.schedules["one-cycle"], 1e-9, "one cycle");
});

Deno.test("learningRate warms up in a straight line to the schedule", () => {
  const rate = learningRate("constant", { rate: 0.5, steps: 10, warmUpSteps: 4 });
  const expected = [0.1, 0.2, 0.3, 0.4, ...Array(6).fill(0.5)];
  assertClose(ten.map(rate), expected, 1e-12, "warm-up");
  assertClose(ten.map(constantRate(2)), Array(10).fill(2), 0, "constant");
});
