/**
 * `latent explain finite-differences`: slopes by trying, beside slopes by calculation.
 *
 * @module
 */

import { grad } from "../graph/grad.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { constant, input } from "../graph/value.ts";
import { joined } from "../pipeline/joined.ts";
import { Computation, type Feeds } from "../training/computation.ts";
import { Clip } from "./clip.ts";
import { draw, relativeError, timedRun } from "./measure.ts";
import { plane } from "./planes.ts";
import { atLeast, atMost, type Report, type Series } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const WIDTHS = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1];
/** Pixels whose slope is found by trying. */
const PIXELS = 16;

async function run(laboratory: Laboratory): Promise<Report> {
  const { prompt, progress } = laboratory;
  const clip = await Clip.open(laboratory), [text] = await clip.texts([prompt]);
  progress("a picture");
  const picture = await draw(laboratory, { steps: 10 });
  const x = clip.pixels(picture);
  progress("the analytic gradient");
  using scorer = await Scorer.open(clip, text!);
  const analytic = await scorer.gradient(x);
  const chosen = [...analytic.values.keys()]
    .sort((a, b) => Math.abs(analytic.values[b]!) - Math.abs(analytic.values[a]!))
    .filter((_, rank) => rank % 8 === 0).slice(0, PIXELS);
  const truth = chosen.map((pixel) => analytic.values[pixel]!);
  // Above zero, which the logarithm of an axis needs.
  const errorOf = (found: readonly number[]) => Math.max(relativeError(found, truth), 1e-12);
  const central: [number, number][] = [], forward: [number, number][] = [];
  let seconds = 0, calls = 0;
  for (const h of WIDTHS) {
    progress(`step width ${h}`);
    const began = performance.now();
    const { plus, minus, at } = await scorer.around(x, chosen, h);
    seconds += (performance.now() - began) / 1000;
    calls += 2 * PIXELS + 1;
    central.push([h, errorOf(plus.map((p, i) => (p - minus[i]!) / (2 * h)))]);
    forward.push([h, errorOf(plus.map((p) => (p - at) / h))]);
  }
  const all = 2 * x.length, each = seconds / calls;
  const best = (points: readonly (readonly [number, number])[]) =>
    points.reduce((a, b) => b[1] < a[1] ? b : a);
  const series: Series[] = [{ name: "central", points: central }, {
    name: "forward",
    points: forward,
  }];
  const [bestWidth, bestError] = best(central);
  return {
    topic: "finite-differences",
    title: "Finite differences",
    summary: "Which pixel should become brighter, so that a picture fits its caption better? One " +
      "can try: change one pixel a little, ask again, and divide. It needs one or two questions " +
      "for each pixel, and the change must be neither too large, where the slope bends, nor too " +
      "small, where the computer's rounding is all that is left. A derivative by calculation " +
      "gives all slopes at once.",
    blocks: [
      {
        kind: "pictures",
        caption: "Where the score depends on the picture (bright: strongly), by calculation",
        pictures: [
          { label: prompt, image: picture },
          {
            label: "size of the slope",
            image: plane(sizes(analytic.values), clip.side, clip.side, 1),
          },
        ],
      },
      {
        kind: "plot",
        caption: `Error of ${PIXELS} slopes by trying, against the calculated ones`,
        x: { label: "step width h (pixels go from −1 to 1)", log: true },
        y: { label: "relative error", log: true },
        series,
      },
      {
        kind: "table",
        caption: `What the slopes of all ${x.length} numbers of the picture cost`,
        columns: ["way", "calls of the network", "seconds", "relative error"],
        rows: [
          ["forward differences", x.length + 1, each * (x.length + 1), best(forward)[1]],
          ["central differences", all, each * all, bestError],
          ["backward through the graph", 1, analytic.seconds, ""],
        ],
      },
    ],
    claims: [
      atMost("Central differences match the analytic gradient (relative error)", bestError, 0.01),
      atMost(
        "and better than forward ones (their error, of those)",
        bestError / best(forward)[1],
        1,
      ),
      atLeast(
        "Too small a step is worse: rounding (error at the smallest, of the best)",
        central[0]![1] / bestError,
        3,
      ),
      atLeast(
        "Too large a step is worse: truncation (error at the largest, of the best)",
        central.at(-1)![1] / bestError,
        3,
      ),
      atLeast("Calculation is faster (times)", each * all / analytic.seconds, 20),
    ],
    formulas: [{
      text: "f'(x) ≈ (f(x+h) − f(x))/h + O(h),   f'(x) ≈ (f(x+h) − f(x−h))/2h + O(h²)",
      symbols: {
        "h": `step width; here ${bestWidth} is best: truncation falls with h, rounding ε/h grows`,
        "f": "cosine of the picture's vector with the caption's",
      },
      file: "explain/finite_differences.ts",
      symbol: "finiteDifferences",
    }, {
      text: "∂f/∂x = Σ over paths of products of local derivatives, from the end backwards",
      symbols: { "∂f/∂x": "all slopes at once" },
      file: "graph/grad.ts",
      symbol: "grad",
    }],
    papers: ["Griewank, Walther 2008, Evaluating Derivatives, doi:10.1137/1.9780898717761"],
  };
}

/** How well pictures fit a text, and the slopes of that. */
class Scorer implements Disposable {
  private constructor(
    readonly weights: Feeds,
    readonly batch: Computation<"scores">,
    readonly backward: Computation<"slopes">,
  ) {}

  static async open(clip: Clip, text: Float32Array): Promise<Scorer> {
    const { side, laboratory: { builder } } = clip;
    const scores = (count: number) => {
      const pixels = input("pixels", "float32", [count, 3, side, side]);
      const aim = constant(text, [1, clip.width]);
      return { pixels, scores: reduceSum(mul(clip.embed(pixels), aim), { axes: [1] }) };
    };
    const many = scores(2 * PIXELS + 1), one = scores(1);
    const [slopes] = grad(reduceSum(one.scores), [one.pixels]);
    return new Scorer(
      clip.weights,
      await Computation.build(builder, { scores: many.scores }),
      await Computation.build(builder, { slopes: slopes! }),
    );
  }

  /** All slopes at once. */
  async gradient(x: Float32Array): Promise<{ values: Float32Array; seconds: number }> {
    const { results, seconds } = await timedRun(this.backward, { ...this.weights, pixels: x });
    return { values: results.slopes, seconds };
  }

  /** Scores of `x`, and of it with each of `pixels` changed by h and by -h. */
  async around(x: Float32Array, pixels: readonly number[], h: number) {
    const moved = (by: number) =>
      pixels.map((pixel) => {
        const copy = x.slice();
        copy[pixel]! += by;
        return copy;
      });
    const all = joined([x, ...moved(h), ...moved(-h)]);
    const [at, ...rest] = (await this.batch.run({ ...this.weights, pixels: all })).scores;
    return { at: at!, plus: rest.slice(0, PIXELS), minus: rest.slice(PIXELS) };
  }

  [Symbol.dispose](): void {
    this.batch[Symbol.dispose]();
    this.backward[Symbol.dispose]();
  }
}

/** The length of the slope of each pixel's three channels. */
function sizes(slopes: Float32Array): Float32Array {
  const area = slopes.length / 3;
  return Float32Array.from(
    { length: area },
    (_, i) => Math.hypot(slopes[i]!, slopes[area + i]!, slopes[2 * area + i]!),
  );
}

/** Slopes by trying, beside slopes by calculation. */
export const finiteDifferences: Topic = { run };
