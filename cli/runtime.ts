/**
 * `latent runtime`: ONNX Runtimes from packages that the user has, side by side.
 *
 * @module
 */

import {
  installRuntime,
  type LibraryReport,
  listRuntimes,
  packedVersion,
  removeRuntime,
  verifyRuntime,
} from "../mod.ts";
import { probeLibrary } from "./doctor_children.ts";
import { COMMON_FLAGS, type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { helpText, type Page } from "./page.ts";
import { byteSize } from "./progress_bar.ts";
import { print } from "./standard_output.ts";

/** Flags of `latent runtime`. */
const RUNTIME_FLAGS = {
  json: { kind: "switch", help: "one JSON object a line" },
  verbose: COMMON_FLAGS.verbose,
  help: COMMON_FLAGS.help,
} as const satisfies FlagTable;

/** Help of `latent runtime`. */
export const RUNTIME_PAGE: Page = {
  usage: "runtime [list | install PACKAGE... | remove NAME...] [FLAGS]",
  text: [
    "Installs ONNX Runtime (CPU, CUDA, OpenVINO) from a pip wheel, an npm package or tarball, or " +
    "a folder that holds one. The last installed is used; ORT_DYLIB_PATH names another by its path.",
  ],
  examples: [
    "latent runtime list",
    "pip download --no-deps onnxruntime-gpu && latent runtime install onnxruntime_gpu-*.whl",
    "latent runtime remove 1.31.1-cuda",
  ],
  flags: RUNTIME_FLAGS,
  words: [["list", "install", "remove"], "file"],
};

/** Runs `latent runtime`. */
export async function runtime(args: readonly string[]): Promise<number> {
  const { flags, positionals: [verb = "list", ...names] } = parseFlags(RUNTIME_FLAGS, args);
  if (flags.help) {
    print(helpText(RUNTIME_PAGE));
    return 0;
  }
  const json = flags.json ?? false;
  if (verb === "list" && names.length === 0) return list(json);
  if (!["install", "remove"].includes(verb)) {
    throw new UsageError(`What is "${verb === "list" ? names[0] : verb}"? See --help.`);
  }
  if (names.length === 0) throw new UsageError(`Say what to ${verb}.`);
  for (const name of names) {
    if (verb === "install") await install(name, json);
    else await remove(name, json);
  }
  return 0;
}

async function install(source: string, json: boolean): Promise<void> {
  const { name, version, providers, files } = await installRuntime(source, loaded);
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  print(
    json
      ? JSON.stringify({ event: "installed", name, version, providers, bytes })
      : `${name}  ${byteSize(bytes)}  ${providers.join(" ")}`,
  );
}

/** Tried in a process of its own, which a broken library may end. */
async function loaded(path: string): Promise<LibraryReport> {
  const trial = await probeLibrary(path);
  if ("failure" in trial) throw new Error(trial.failure);
  return trial.result;
}

async function remove(name: string, json: boolean): Promise<void> {
  await removeRuntime(name);
  print(json ? JSON.stringify({ event: "removed", name }) : `removed ${name}`);
}

/** The installed ones, the one in use first, each with what is wrong with it. */
function list(json: boolean): number {
  const runtimes = listRuntimes();
  let damaged = 0;
  runtimes.forEach(({ name, version, path, providers, source, installed }, index) => {
    const problem = problemOf(path), used = index === 0;
    if (problem !== undefined) damaged++;
    const mark = used ? "*" : "-", note = problem ? `  ${problem}` : "";
    print(
      json
        ? JSON.stringify({ name, version, path, providers, source, installed, used, problem })
        : `${mark} ${name}  ${path}  ${providers.join(" ")}${note}`,
    );
  });
  if (runtimes.length === 0 && !json) {
    print(`None installed; ${packedVersion() ?? "the npm package's"} is used.`);
  }
  return damaged > 0 ? 1 : 0;
}

function problemOf(path: string): string | undefined {
  try {
    verifyRuntime(path);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
