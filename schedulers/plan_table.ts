/**
 * A plan as a table to print: one row a call of the network, one named column a weight.
 * @module
 */
import type { Basis, Plan, Row } from "./plan.ts";

/** Names and numbers of a plan; a cell is undefined where a row has no such weight. */
export interface PlanTable {
  /**
   * "call", "timestep", "sigma", "x", then results, newest first, then noise. "z before" is noise
   * added before the call; "floor" that of a preconditioner, which is no weight.
   */
  readonly columns: readonly string[];
  /** One row a call; a corrected call has a row before it whose cells are the correction's. */
  readonly rows: readonly (readonly (number | undefined)[])[];
}

/** What one result is called. */
const RESULT: Record<Basis, string> = { denoised: "denoised", epsilon: "noise", output: "output" };

/**
 * The weights of `plan` with their names: `x' = x * x + denoised * D + "denoised -1" * D_before ...`.
 *
 * Columns that no row uses are left out. "z" is fresh noise, "z -1" the draw before.
 */
export function planTable({ stages, basis }: Plan): PlanTable {
  const rows = stages.flatMap(({ timestep, sigma, churn, next, correct }, call) => [
    ...(correct ? [{ head: [call, timestep, sigma], churn, row: correct }] : []),
    { head: [call, timestep, sigma], churn: correct ? undefined : churn, row: next },
  ]);
  const width = (of: (row: Row) => readonly unknown[] | undefined) =>
    Math.max(0, ...rows.map(({ row }) => of(row)?.length ?? 0));
  const results = width((row) => row.results);
  const draws = width((row) => row.noise);
  const churned = rows.some(({ churn }) => churn !== undefined);
  const divided = rows.some(({ row }) => row.precondition !== undefined);
  const clipped = rows.some(({ row }) => row.unclipped !== undefined);
  const numbered = (name: string, count: number) =>
    Array.from({ length: count }, (_, k) => k === 0 ? name : `${name} -${k}`);
  return {
    columns: [
      ...["call", "timestep", "sigma"],
      ...(churned ? ["z before"] : []),
      "x",
      ...numbered(RESULT[basis], results),
      ...(clipped ? ["unclipped"] : []),
      ...numbered("z", draws),
      ...(divided ? ["floor"] : []),
    ],
    rows: rows.map(({ head, churn, row }) => [
      ...head,
      ...(churned ? [churn] : []),
      row.start,
      ...Array.from({ length: results }, (_, k) => row.results[k]),
      ...(clipped ? [row.unclipped] : []),
      ...Array.from({ length: draws }, (_, k) => row.noise?.[k]),
      ...(divided ? [row.precondition?.floor] : []),
    ]),
  };
}
