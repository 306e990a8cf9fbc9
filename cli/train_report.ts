/**
 * What a training tells while it goes on: the loss as a line of bars, or events for programs.
 *
 * @module
 */

import type { TrainingEvent } from "../training/mod.ts";
import { progressTo } from "./progress.ts";
import { writeLine } from "./standard_output.ts";

/** Hears what a training does. */
export interface TrainReport {
  hear(event: TrainingEvent): void;
  end(): void;
}

/** The report that the common flags ask for. */
export function trainReport(
  { json = false, quiet = false }: { json?: boolean | undefined; quiet?: boolean | undefined },
): TrainReport {
  return json ? jsonReport() : peopleReport(quiet);
}

function jsonReport(): TrainReport {
  const began = performance.now();
  return {
    hear({ kind, ...fields }) {
      const elapsed = Math.round(performance.now() - began) / 1000;
      const told = "samples" in fields
        ? { step: fields.step, prompts: fields.samples.map(({ prompt }) => prompt) }
        : fields;
      writeLine("standard output", JSON.stringify({ v: 1, event: kind, elapsed, ...told }));
    },
    end() {},
  };
}

function peopleReport(quiet: boolean): TrainReport {
  const progress = progressTo({ quiet });
  const losses: number[] = [];
  let skipped = 0, overflows = 0;
  return {
    hear(event) {
      switch (event.kind) {
        case "stage":
          return progress.stage(event.name);
        case "skipped":
          skipped++;
          return progress.line(`skipped: ${event.reason}`);
        case "update":
          losses.push(event.loss);
          overflows += event.overflows ?? 0;
          return progress.step({
            name: `loss ${mean(losses.slice(-20)).toFixed(4)}`,
            done: event.step,
            total: event.steps,
          });
        case "checkpoint":
          return progress.line(`step ${event.step}  ${lossLine(losses)}  checkpoint`);
        case "samples":
          return progress.stage(`drew ${event.samples.length} samples`);
        case "saved": {
          const left = skipped > 0 ? `  ${skipped} pictures skipped` : "";
          const again = overflows > 0
            ? `  ${overflows} updates skipped and repeated: overflow`
            : "";
          return progress.line(`${event.path}${left}${again}`);
        }
      }
    },
    end: () => progress.end(),
  };
}

/**
 * The course of the losses in at most 40 bars, and where it began and is: `▇▅▃▂▁ 0.21 to 0.07`.
 * A bar is a mean, since single losses depend on how much noise was drawn.
 */
function lossLine(losses: readonly number[]): string {
  const count = Math.min(40, Math.max(1, Math.floor(losses.length / 5)), losses.length);
  if (count === 0) return "";
  const means = Array.from({ length: count }, (_, i) => {
    const from = Math.floor(i * losses.length / count);
    return mean(losses.slice(from, Math.floor((i + 1) * losses.length / count)));
  });
  const low = Math.min(...means), range = Math.max(...means) - low || 1;
  const bars = means.map((value) => "▁▂▃▄▅▆▇█"[Math.round((value - low) / range * 7)]).join("");
  return `${bars} loss ${means[0]!.toFixed(4)} to ${means.at(-1)!.toFixed(4)}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
