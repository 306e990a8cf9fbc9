/**
 * What a run tells while it goes on: progress for people on standard error, or events for programs,
 * one JSON object a line.
 *
 * @module
 */

import type { Output } from "./output.ts";
import { progressTo } from "./progress.ts";

/** Hears what a run does. */
export interface Reporter {
  stage(name: string): void;
  step(at: { picture: number; step: number; steps: number; sigma: number }): void;
  image(result: {
    picture: number;
    path: string;
    seed: number | bigint;
    prompt: string;
    seconds: number;
  }): void;
}

/** The reporter that the common flags ask for. */
export function reporterOf(
  flags: { readonly json?: boolean; readonly quiet?: boolean },
  output: Output,
): Reporter {
  return flags.json ? jsonReporter(output.standardOutput) : peopleReporter(flags.quiet ?? false);
}

function peopleReporter(quiet: boolean): Reporter {
  const progress = progressTo({ quiet });
  return {
    stage: (name) => progress.stage(name),
    step: ({ step, steps }) => progress.step("denoising", step, steps),
    image({ path, seed, seconds }) {
      const where = path === "-" ? "standard output" : path;
      progress.line(`${where}  seed ${seed}  ${seconds.toFixed(1)} s`);
    },
  };
}

/** Events on standard output, or on standard error while that carries the picture. */
function jsonReporter(pictureOnStandardOutput: boolean): Reporter {
  const stream = pictureOnStandardOutput ? Deno.stderr : Deno.stdout;
  const encoder = new TextEncoder();
  const write = (event: Record<string, unknown>) => {
    const bytes = encoder.encode(`${JSON.stringify(event, bigintAsNumber)}\n`);
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  };
  return {
    stage: (name) => write({ event: "stage", name }),
    step: (at) => write({ event: "step", ...at }),
    image: (result) => write({ event: "image", ...result }),
  };
}

/** Seeds beyond 2^53 become text: JSON numbers would lose their last digits. */
function bigintAsNumber(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
