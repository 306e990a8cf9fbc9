/**
 * A plan as matrices. Everything a sampler does between two calls of the network is linear: the
 * sample, the results that it remembers and its draws become weighted sums of themselves, the
 * network's output and fresh noise. So a whole run is a table of small matrices, which any runtime
 * can multiply by, on any device.
 * @module
 */
import type { Plan, Row, Stage } from "./plan.ts";

/** A run as matrices; all weights are float64. The state is `size` arrays as long as the sample. */
export interface LinearPlan {
  /** How many arrays the state has; the first is the sample, the others begin as zeros. */
  readonly size: number;
  /** For each call, the weights that make the network's input of [...state, noise before]. */
  readonly inputs: readonly Float64Array[];
  /**
   * For each call, row after row, the weights that make [...next state, clean estimate] of
   * [...state, noise before, output, noise after]: `size + 1` rows of `size + 3`.
   */
  readonly updates: readonly Float64Array[];
}

/** A sum over [...state, noise before, output, noise after]. */
type Sum = Float64Array;

/** Where a plan's arrays stand in the state. */
interface Places {
  readonly size: number;
  /** Undefined where every call is a step: then it is the sample. */
  readonly start: number | undefined;
  /** The results' first place, and how many are remembered. */
  readonly history: number;
  readonly depth: number;
  readonly draws: number;
  readonly drawn: number;
}

/**
 * `plan` as matrices; undefined where a step is not linear (clipping, preconditioning), or is found
 * on the way. Rounding apart, the products are what `denoise` computes.
 */
export function linearPlan(plan: Plan): LinearPlan | undefined {
  const { stages, clipping, adaptive } = plan;
  if (clipping || adaptive || stages.some(({ next }) => next.precondition)) return undefined;
  const places = placesOf(stages);
  const { size } = places;
  const inputs: Float64Array[] = [], updates: Float64Array[] = [];
  let stepBegins = true;
  for (const stage of stages) {
    const { sample, rows } = stageSums(stage, places, stepBegins);
    inputs.push(sample.slice(0, size + 1).map((weight) => weight * stage.inputScale));
    const update = new Float64Array((size + 1) * (size + 3));
    rows.forEach((row, i) => update.set(row, i * (size + 3)));
    updates.push(update);
    stepBegins = stage.advance;
  }
  return { size, inputs, updates };
}

function placesOf(stages: readonly Stage[]): Places {
  const most = (count: (stage: Stage) => number) => Math.max(...stages.map(count));
  const depth = most(({ next, correct }) =>
    Math.max(next.results.length, correct?.results.length ?? 0)
  );
  const drawn = most(({ next }) => next.noise?.length ?? 0);
  const manyCalls = stages.some((stage) => stage.correct || !stage.advance);
  // The newest result and draw of a call are used at once; only older ones need a place.
  const history = manyCalls ? 2 : 1, draws = history + depth - 1;
  const size = draws + Math.max(drawn - 1, 0);
  const start = manyCalls ? 1 : undefined;
  return { size, start, history, depth: depth - 1, draws, drawn: Math.max(drawn - 1, 0) };
}

/** The sample that the network is asked at, and the rows of [...next state, clean estimate]. */
function stageSums(
  stage: Stage,
  places: Places,
  stepBegins: boolean,
): { sample: Sum; rows: Sum[] } {
  const { size } = places;
  const one = (place: number) => {
    const sum = new Float64Array(size + 3);
    sum[place] = 1;
    return sum;
  };
  const remembered = (from: number, count: number) =>
    Array.from({ length: count }, (_, k) => one(from + k));
  const { correct, next, denoised, result, churn = 0 } = stage;
  const output = one(size + 1);
  const sample = combined([[1, one(0)], [churn, one(size)]]);
  const fromSample = places.start === undefined || (stepBegins && !correct);
  let start = fromSample ? sample : one(places.start!);
  const clean = combined([[denoised.sample, sample], [denoised.output, output]]);
  const newest = combined([
    [result.sample, sample],
    [result.output, output],
    [result.denoised, clean],
  ]);
  const results = [newest, ...remembered(places.history, places.depth)];
  const before = remembered(places.draws, places.drawn);
  const draws = next.noise ? [one(size + 2), ...before] : before;
  if (correct) start = weighted(correct, start, results);
  const drawn = next.noise?.map((weight, k) => [weight, draws[k]!] as const) ?? [];
  const after = combined([
    [1, weighted(next, start, results)],
    [next.unclipped ?? 0, clean],
    ...drawn,
  ]);
  const rows = [
    after,
    ...(places.start === undefined ? [] : [start]),
    ...results.slice(0, places.depth),
    ...draws.slice(0, places.drawn),
    clean,
  ];
  return { sample, rows };
}

/** A row without its noise. */
function weighted({ start: weight, results }: Row, start: Sum, all: readonly Sum[]): Sum {
  return combined([[weight, start], ...results.map((each, k) => [each, all[k]!] as const)]);
}

function combined(terms: readonly (readonly [weight: number, sum: Sum])[]): Sum {
  const total = new Float64Array(terms[0]![1].length);
  for (const [weight, sum] of terms) {
    for (let i = 0; i < total.length; i++) total[i]! += weight * sum[i]!;
  }
  return total;
}
