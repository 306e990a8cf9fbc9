/**
 * Trials that may crash: each runs in a process of its own, which is this program again.
 *
 * @module
 */

import { libraryFailure, libraryReport, StableDiffusion } from "../mod.ts";
import type { LibraryReport } from "../mod.ts";
import { print } from "./standard_output.ts";

/** What came of a trial: its result, or why there is none. */
export type Trial<T> = { readonly result: T } | { readonly failure: string };

/** How fast the embedded model draws. */
export interface SamplingReport {
  /** Calls of the U-Net within about a second. */
  readonly steps: number;
  /** Seconds from opening the model until the first call had ended. */
  readonly firstStepSeconds: number;
  /** Calls a second after the first. */
  readonly stepsPerSecond: number;
}

/** How long a trial may take, in milliseconds. */
const LIMIT = 60_000;

/** Loads the library at `path` in another process. */
export function probeLibrary(path: string): Promise<Trial<LibraryReport>> {
  return inChild<LibraryReport>(["--probe", path]);
}

/** Draws for a second in another process, with the library that `generate` would take. */
export function probeSampling(): Promise<Trial<SamplingReport>> {
  return inChild<SamplingReport>(["--sample"]);
}

/** The other process: runs the trial named by `args` and prints what came of it. */
export async function runTrial([kind, path]: readonly string[]): Promise<number> {
  let trial: Trial<unknown>;
  try {
    trial = { result: kind === "--probe" ? libraryReport(path ?? "") : await sample() };
  } catch (error) {
    trial = { failure: libraryFailure(error) };
  }
  print(JSON.stringify(trial));
  return 0;
}

async function sample(): Promise<SamplingReport> {
  const began = performance.now();
  await using sd = await StableDiffusion.open();
  let steps = 0, first = 0;
  for await (const _ of sd.denoise({ prompt: "a red seven", seed: 1, steps: 500 })) {
    if (steps++ === 0) first = performance.now();
    if (steps > 1 && performance.now() - first > 1000) break;
  }
  return {
    steps,
    firstStepSeconds: (first - began) / 1000,
    stepsPerSecond: (steps - 1) / ((performance.now() - first) / 1000),
  };
}

async function inChild<T>(args: readonly string[]): Promise<Trial<T>> {
  // A compiled program is its own executable; otherwise Deno runs the sources again.
  const program = Deno.build.standalone ? [] : [
    "run",
    "--quiet",
    "--no-prompt",
    "--no-check",
    "-A",
    new URL("../cli.ts", import.meta.url).href,
  ];
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(Deno.execPath(), {
      args: [...program, "doctor", ...args],
      stdin: "null",
      signal: AbortSignal.timeout(LIMIT),
    }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      return { failure: "not tried, as it might crash: run with --allow-run to try it" };
    }
    throw error;
  }
  return resultOf<T>(output);
}

/** A result is the last line; without one, the process died of what it tried. */
function resultOf<T>({ stdout, stderr, code, signal }: Deno.CommandOutput): Trial<T> {
  const line = new TextDecoder().decode(stdout).trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as Trial<T>;
  } catch {
    if (signal === "SIGTERM") return { failure: `it did not answer within ${LIMIT / 1000} s` };
    const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
    return {
      failure: `it ended the process (${signal ?? `exit code ${code}`})${said && `: ${said}`}`,
    };
  }
}
