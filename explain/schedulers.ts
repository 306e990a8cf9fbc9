/**
 * `latent explain schedulers`: noise tables, and solvers as rows of weights.
 *
 * @module
 */

import { planTable } from "../schedulers/plan_table.ts";
import { rmsDistance } from "./measure.ts";
import { atMost, type Claim, type Report, type Series } from "./report.ts";
import { stepMatrix } from "./step_matrix.ts";
import type { Laboratory, Topic } from "./topic.ts";

const SOLVERS = ["Euler", "Heun", "DPM++ 2M", "UniPC", "DDIM"];
const STEPS = [2, 4, 8, 16];
const REFERENCE = 120;

async function run(laboratory: Laboratory): Promise<Report> {
  const plan = laboratory.sd.plan({ prompt: "", steps: 8, scheduler: "DPM++ 2M" });
  const table = planTable(plan);
  const distances = await convergence(laboratory);
  const matrix = await stepMatrix(laboratory);
  return {
    topic: "schedulers",
    title: "Schedulers",
    summary:
      "A sampler walks from noise to a picture. At every stop it asks the U-Net how the clean " +
      "picture looks from here, and moves on by a weighted sum of where it is and what it was " +
      "told. All that a sampler is can be written as one row of weights for each stop, known " +
      "before the first question is asked.",
    blocks: [
      {
        kind: "table",
        caption: "DPM++ 2M with 8 steps, as a table of weights",
        columns: table.columns,
        rows: table.rows.map((row) => row.map((weight) => weight ?? "")),
      },
      matrix.block,
      {
        kind: "plot",
        caption: `Distance to the picture of ${REFERENCE} Euler steps, by calls of the U-Net`,
        x: { label: "calls of the U-Net", log: true },
        y: { label: "root mean square distance of the latents", log: true },
        series: distances,
      },
      {
        kind: "plot",
        caption: "Where three spacings put 12 stops",
        mark: "dot",
        x: { label: "step" },
        y: { label: "noise level σ", log: true },
        series: (["leading", "linspace", "trailing"] as const).map((timestepSpacing) => ({
          name: timestepSpacing,
          points: laboratory.sd.plan({
            prompt: "",
            steps: 12,
            scheduler: "Euler",
            schedulerOptions: { timestepSpacing },
          }).stages.map(({ sigma }, i) => [i + 1, sigma] as const),
        })),
      },
    ],
    claims: [...claims(laboratory, distances), matrix.claim],
    formulas: [{
      text: "x' = (σ'/σ) x + (1 − σ'/σ) D",
      symbols: {
        "x": "noisy latents now, at noise level σ",
        "x'": "latents at the next noise level σ'",
        "D": "the clean picture as the U-Net sees it from x",
      },
      file: "schedulers/solvers/euler.ts",
      symbol: "euler",
    }, {
      text: "(x', h')ᵀ = Aₖ (x, h, ε̂)ᵀ",
      symbols: {
        "h": "what the sampler remembers of earlier answers",
        "ε̂": "the U-Net's answer",
        "Aₖ": "the matrix of step k, known before the run",
      },
      file: "schedulers/linear_plan.ts",
      symbol: "linearPlan",
    }],
    papers: [
      "Karras, Aittala, Aila, Laine 2022, Elucidating the Design Space, arXiv:2206.00364",
      "Lu et al. 2022, DPM-Solver++, arXiv:2211.01095",
      "Song, Meng, Ermon 2020, Denoising Diffusion Implicit Models, arXiv:2010.02502",
    ],
  };
}

/** Latents after a run, and how often the U-Net was asked. */
async function sample(
  { sd, prompt, seed, signal }: Laboratory,
  scheduler: string,
  steps: number,
): Promise<{ latents: Float32Array; calls: number }> {
  let latents = new Float32Array(0), calls = 0;
  // All from the same noise level to the same end: "leading" begins elsewhere for every count.
  const schedulerOptions = { timestepSpacing: "linspace" } as const;
  const options = { prompt, seed, steps, scheduler, schedulerOptions, guidanceScale: 1 };
  for await (const step of sd.denoise({ ...options, ...(signal && { signal }) })) {
    latents = Float32Array.from(step.latents.data);
    calls++;
  }
  return { latents, calls };
}

async function convergence(laboratory: Laboratory): Promise<Series[]> {
  laboratory.progress(`the reference: ${REFERENCE} steps`);
  const reference = (await sample(laboratory, "Euler", REFERENCE)).latents;
  const series: Series[] = [];
  for (const name of SOLVERS) {
    laboratory.progress(name);
    const points: [number, number][] = [];
    for (const steps of STEPS) {
      const { latents, calls } = await sample(laboratory, name, steps);
      points.push([calls, rmsDistance(latents, reference)]);
    }
    series.push({ name, points });
  }
  return series;
}

function claims({ sd }: Laboratory, distances: readonly Series[]): Claim[] {
  // A constant answer D must come out as it went in: with x = signal · D before the step, x' must
  // be signal' · D after it.
  const worst = Math.max(...["Euler", "DPM++ 2M", "DDIM", "UniPC"].flatMap((scheduler) => {
    const { stages, basis } = sd.plan({ prompt: "", steps: 10, scheduler });
    if (basis !== "denoised") return [];
    return stages.slice(0, -1).map(({ level, next }, i) => {
      const kept = next.start * level.signal + next.results.reduce((a, b) => a + b, 0);
      return Math.abs(kept - stages[i + 1]!.level.signal);
    });
  }));
  const far = (name: string) =>
    distances.find((s) => s.name === name)!.points.find(([calls]) => calls === 8)![1];
  return [
    atMost("Rows keep a clean picture as it is, whatever the sampler (worst error)", worst, 1e-6),
    atMost(
      "8 steps of DPM++ 2M end nearer the reference than 8 of Euler (ratio of distances)",
      far("DPM++ 2M") / far("Euler"),
      0.9,
    ),
  ];
}

/** Noise tables, and solvers as rows of weights. */
export const schedulers: Topic = { run };
