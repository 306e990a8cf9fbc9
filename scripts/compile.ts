/**
 * Compiles the program with ONNX Runtime, the embedded model and the vocabulary into one file.
 *
 *     deno task compile [--target PLATFORM] [--output FILE] [--verbose]
 *
 * Deno fetches the runtime binary of its own version from its release site. Where that cannot be
 * reached, DENORT_BIN names one (Deno's own variable), and DENO_COMPILE the deno of its version.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Stage, stage } from "./compile_stage.ts";
import { ownTarget, type Target, targetOf } from "./compile_targets.ts";

/** What was compiled. */
export interface Compiled extends Stage {
  readonly target: Target;
  /** The binary. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** The version of the Deno inside. */
  readonly denoVersion: string;
  /** The size of Deno's bare runtime, where it is known. */
  readonly runtimeBytes: number | undefined;
}

/** Compiles for `target` into the file `output`. @throws {Error} with what the compiler said. */
export async function compile(
  target: Target,
  output: string,
  options: { verbose?: boolean } = {},
): Promise<Compiled> {
  if (Deno.env.get("DENORT_BIN") && target !== ownTarget()) {
    throw new Error(
      `Cannot compile for ${target.platform}: DENORT_BIN is for ${ownTarget().platform}. ` +
        "Compile for it there, or unset DENORT_BIN to let Deno download its runtime binary.",
    );
  }
  const path = resolve(output);
  await Deno.mkdir(dirname(path), { recursive: true });
  const deno = Deno.env.get("DENO_COMPILE") ?? Deno.execPath();
  const folder = await Deno.makeTempDir({ prefix: "latent-stage-" });
  try {
    const staged = await stage(target, folder, deno);
    const args = argumentsOf(target, path, options.verbose ?? false);
    await runCompiler(deno, args, folder, target);
    const runtime = Deno.env.get("DENORT_BIN");
    return {
      ...staged,
      target,
      path,
      bytes: (await Deno.stat(path)).size,
      denoVersion: await versionOf(deno),
      runtimeBytes: runtime ? (await Deno.stat(runtime)).size : undefined,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function versionOf(deno: string): Promise<string> {
  const { stdout } = await new Deno.Command(deno, { args: ["--version"] }).output();
  return /^deno ([\d.]+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
}

function argumentsOf(target: Target, output: string, verbose: boolean): string[] {
  return [
    ...["compile", "--allow-all", "--no-check", "--no-lock"],
    ...["--include", "assets", "--include", "onnxruntime"],
    ...["--target", target.triple, "--output", output],
    ...(verbose ? [] : ["--quiet"]),
    "cli.ts",
  ];
}

async function runCompiler(deno: string, args: string[], folder: string, target: Target) {
  const { code, stderr } = await new Deno.Command(deno, {
    args,
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  if (!args.includes("--quiet")) console.error(said);
  if (code === 0) return;
  throw new Error(
    `Cannot compile for ${target.platform}: deno compile exited with ${code}: ${said}\n` +
      "If its runtime binary cannot be downloaded, set DENORT_BIN to one of the same version.",
  );
}

/** The sizes of binaries, as a Markdown table in megabytes. */
export function sizeTable(all: readonly Compiled[]): string {
  const heads = ["Target", "Binary", "Deno", "Over Deno", "Library", "Model", "Vocabulary", "npm"];
  const rows = all.map(({ target, bytes, runtimeBytes, sizes }) => [
    target.platform,
    megabytes(bytes),
    megabytes(runtimeBytes),
    megabytes(runtimeBytes && bytes - runtimeBytes),
    ...[sizes.library, sizes.model, sizes.vocabulary, sizes.npm].map(megabytes),
  ]);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "?" : `${(bytes / 1e6).toFixed(1)} MB`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      target: { type: "string" },
      output: { type: "string" },
      verbose: { type: "boolean" },
    },
  });
  const target = values.target ? targetOf(values.target) : ownTarget();
  const name = target.platform.startsWith("windows") ? "latent.exe" : "latent";
  const output = values.output ?? join(fileURLToPath(new URL("../dist", import.meta.url)), name);
  console.log(sizeTable([await compile(target, output, { verbose: values.verbose ?? false })]));
}
