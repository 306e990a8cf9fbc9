import { type Level, sigma } from "../level.ts";
import type { Call, Row } from "../plan.ts";
import { singlestepRow } from "./dpm_singlestep.ts";
import { ancestralSplit } from "./euler.ts";

/**
 * "DPM fast": DPM-Solver singlestep of third order along the noise, evenly in log sigma, with lower
 * orders at the end so that exactly `calls` are made: Lu et al. 2022 (arXiv:2206.00927), section 3.4,
 * as k-diffusion's `sample_dpm_fast` does it. `eta` is ancestral noise. Ends at sigma `to`, not at 0.
 *
 * `find` gives the level of any sigma, where samples keep the clean picture's size.
 */
export function dpmFast(
  { from, to, calls }: { readonly from: Level; readonly to: number; readonly calls: number },
  eta: number,
  find: (sigma: number) => Level,
): Call[] {
  const orders = fastOrders(calls);
  const ratio = to / sigma(from);
  const levels = [
    from,
    ...orders.map((_, i) => find(sigma(from) * ratio ** ((i + 1) / orders.length))),
  ];
  return orders.flatMap((order, i) => {
    const [start, end] = [levels[i]!, levels[i + 1]!];
    if (eta === 0) return stepOf(order, start, end, find);
    const down = find(Math.max(ancestralSplit(start, end, eta).down, to));
    const up = Math.sqrt(Math.max(sigma(end) ** 2 - sigma(down) ** 2, 0));
    const step = stepOf(order, start, down, find);
    const last = step.at(-1)!;
    return [...step.slice(0, -1), { ...last, next: { ...last.next, noise: [up] } }];
  });
}

/** Threes, then what makes the calls come out even. */
function fastOrders(calls: number): number[] {
  const blocks = Math.floor(calls / 3) + 1;
  const rest = calls % 3 === 0 ? [2, 1] : [calls % 3];
  return [...Array.from({ length: blocks - rest.length }, () => 3), ...rest];
}

/** One step with as many calls as its order. */
function stepOf(order: number, from: Level, to: Level, find: (sigma: number) => Level): Call[] {
  const inner = Array.from({ length: order - 1 }, (_, k) => {
    return find(sigma(from) * (sigma(to) / sigma(from)) ** ((k + 1) / order));
  });
  const asked = [from, ...inner];
  return asked.map((level, k) => {
    const visited = asked.slice(0, k + 1);
    const last = k === order - 1;
    // Within a step slopes are integrated, at its end they are taken at its midpoint.
    const next: Row = singlestepRow("dpmsolver", visited, asked[k + 1] ?? to, last);
    return { level, next, advance: last };
  });
}
