/**
 * `latent bench`: what a picture costs on this machine.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };
import { benchmark, type BenchmarkCase } from "../mod.ts";
import { profileTables } from "./bench_profile.ts";
import { type BenchReport, benchTable, comparison, readReport } from "./bench_report.ts";
import { machineReport } from "./doctor_machine.ts";
import { type FlagTable, type FlagValues, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS, openOptionsOf } from "./generate_flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { helpText, type Page } from "./page.ts";
import { progressTo } from "./progress.ts";
import { PROVIDER_FLAGS } from "./provider_flags.ts";
import { readSize } from "./size_flags.ts";
import { print } from "./standard_output.ts";

const { model, config, variant, vae, precision, quiet, verbose, help } = GENERATE_FLAGS;

/** Flags of `latent bench`. */
const BENCH_FLAGS = {
  model,
  config,
  variant,
  vae,
  ...PROVIDER_FLAGS,
  provider: {
    ...PROVIDER_FLAGS.provider,
    help: `${PROVIDER_FLAGS.provider.suggests.join(", ")}; repeat to compare (cpu)`,
  },
  precision: {
    kind: "list",
    choices: precision.choices,
    help: "of the weights; repeat to compare (float32)",
  },
  "low-memory": GENERATE_FLAGS["low-memory"],
  fast: GENERATE_FLAGS.fast,
  size: { kind: "list", value: "WxH", help: "of the picture; repeat to compare (the model's own)" },
  "guidance-scale": GENERATE_FLAGS["guidance-scale"],
  steps: {
    kind: "integer",
    range: [1, 1000],
    help: "calls of the U-Net in a round (3; --fast: 24)",
  },
  rounds: { kind: "integer", range: [1, 1000], help: "times that all take turns (3)" },
  profile: { kind: "switch", help: "where the time goes: tables by network and operator" },
  compare: { kind: "text", value: "FILE", help: "an earlier run's --json: adds its ratios" },
  json: { kind: "switch", help: "one JSON object on standard output" },
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

type BenchFlags = FlagValues<typeof BENCH_FLAGS>;

/** Help of `latent bench`. */
export const BENCH_PAGE: Page = {
  usage: "bench [FLAGS]",
  text: [
    "Measures what a picture costs here: the time until the first call of the U-Net has ended, a " +
    "call, decoding, and memory. Providers, precisions and sizes take turns, and so does a product of " +
    "matrices: times in units of it compare runs of different days and machines. With --fast calls " +
    "differ: a step is the mean of a run.",
  ],
  examples: [
    "latent bench",
    "latent bench --size 64x64 --size 128x128 --rounds 2 --json > before.json",
    "latent bench --compare before.json --rounds 2",
    "latent bench --model ./stable-diffusion-v1-5 --provider cpu --provider openvino",
  ],
  flags: BENCH_FLAGS,
};

/** Runs `latent bench`. */
export async function bench(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(BENCH_FLAGS, args);
  if (flags.help) {
    print(helpText(BENCH_PAGE));
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`What is "${positionals[0]}"? See --help.`);
  const cases = casesOf(flags);
  const before = flags.compare === undefined ? undefined : await readReport(flags.compare);
  const progress = progressTo({ quiet: (flags.quiet || flags.json) ?? false });
  return await withInterrupt(async (signal) => {
    const found = await benchmark({
      model: flags.model,
      cases,
      ...(flags.rounds !== undefined && { rounds: Number(flags.rounds) }),
      steps: Number(flags.steps ?? (flags.fast ? 24 : 3)),
      ...(flags.profile && { profile: true }),
      signal,
      onStage: (what) => progress.stage(what),
    });
    progress.end();
    const { onnxruntime, ...measured } = found;
    const report: BenchReport = {
      format: 1,
      date: new Date().toISOString(),
      model: flags.model ?? "embedded",
      versions: { latent: manifest.version, deno: Deno.version.deno, onnxruntime },
      machine: await machineReport(),
      ...measured,
    };
    const compared = before && comparison(report, before);
    print(
      flags.json ? JSON.stringify({ ...report, ...(compared && { compared }) }) : [
        `${report.model}, ONNX Runtime ${onnxruntime}, ${report.machine.processor ?? ""}`,
        benchTable(report, compared),
        ...report.cases.flatMap(profileTables),
      ].join("\n\n"),
    );
    return 0;
  });
}

/** Each provider with each precision at each size. @throws {UsageError} */
function casesOf({ provider, precision, size, ...flags }: BenchFlags): BenchmarkCase[] {
  const guidanceScale = flags["guidance-scale"];
  const sizes = size?.map((text) => ({ name: text, ...readSize("size", text) })) ?? [{ name: "" }];
  return (provider ?? ["cpu"]).flatMap((provider) =>
    (precision ?? [undefined]).flatMap((precision) =>
      sizes.map(({ name, ...size }): BenchmarkCase => ({
        name: [provider, precision, flags.fast && "fast", name].filter(Boolean).join(" "),
        open: openOptionsOf({
          ...flags,
          ...(precision && { precision }),
          quiet: true,
          provider: [provider],
        }),
        picture: {
          ...size,
          ...(guidanceScale !== undefined && { guidanceScale }),
          ...(flags.fast && { fast: true }),
        },
      }))
    )
  );
}
