/**
 * `latent doctor`: what works on this machine, what does not, why, and what to do.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };
import { hubEndpoint, libraryCandidates, libraryFailure } from "../mod.ts";
import { probeLibrary, probeSampling, runTrial } from "./doctor_children.ts";
import { folderReports } from "./doctor_folders.ts";
import { machineReport } from "./doctor_machine.ts";
import {
  adviceFor,
  type CandidateReport,
  type DoctorReport,
  isHealthy,
  textOf,
} from "./doctor_report.ts";
import { COMMON_FLAGS, type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { helpText, type Page } from "./page.ts";
import { print } from "./standard_output.ts";

/** Flags of `latent doctor`. */
const DOCTOR_FLAGS = {
  network: { kind: "switch", help: "see whether the Hub can be reached, too" },
  json: { kind: "switch", help: "the report as one JSON object" },
  verbose: COMMON_FLAGS.verbose,
  help: COMMON_FLAGS.help,
} as const satisfies FlagTable;

/** Help of `latent doctor`. */
export const DOCTOR_PAGE: Page = {
  usage: "doctor [FLAGS]",
  text: [
    "Says what works on this machine, what does not, why, and what to do about it. Libraries are " +
    "tried in processes of their own. Exits with 0 if the program can draw, with 1 otherwise.",
  ],
  examples: ["latent doctor", "latent doctor --json | jq -r '.advice[]'"],
  flags: DOCTOR_FLAGS,
};

/** Runs `latent doctor`. */
export async function doctor(args: readonly string[]): Promise<number> {
  if (args[0] === "--probe" || args[0] === "--sample") return await runTrial(args);
  const { flags, positionals } = parseFlags(DOCTOR_FLAGS, args);
  if (flags.help) {
    print(helpText(DOCTOR_PAGE));
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`What is "${positionals[0]}"? See --help.`);
  const report = await examine(flags.network ?? false);
  print(flags.json ? JSON.stringify(report) : textOf(report));
  return isHealthy(report) ? 0 : 1;
}

async function examine(network: boolean): Promise<DoctorReport> {
  const libraries = await candidateReports();
  const { deno, v8, typescript } = Deno.version;
  const found = {
    v: 1,
    versions: { latent: manifest.version, deno, v8, typescript },
    compiled: Deno.build.standalone,
    machine: await machineReport(),
    ...libraries,
    folders: await folderReports(),
    sampling: await probeSampling(),
    ...(network && { network: await reachability() }),
  } as const;
  return { ...found, advice: adviceFor(found) };
}

/** Tries every library of the search; `generate` takes the first that loads. */
async function candidateReports(): Promise<Pick<DoctorReport, "libraries" | "searchFailure">> {
  let paths: string[];
  try {
    paths = libraryCandidates();
  } catch (error) {
    return { libraries: [], searchFailure: libraryFailure(error) };
  }
  const libraries: CandidateReport[] = [];
  for (const path of paths) {
    const trial = await probeLibrary(path);
    const taken = "result" in trial && !libraries.some((library) => library.taken);
    libraries.push({ path, taken, trial });
  }
  return { libraries };
}

async function reachability(): Promise<Record<string, string>> {
  const url = hubEndpoint({ HF_ENDPOINT: Deno.env.get("HF_ENDPOINT") });
  try {
    const response = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(5000) });
    return { [url]: `answers ${response.status}` };
  } catch (error) {
    return { [url]: error instanceof Error ? error.message : String(error) };
  }
}
