/**
 * Builds a release: a binary for every target, its bill of materials, and SHA256SUMS.
 *
 *     deno run -A scripts/release.ts [--target PLATFORM]... [--output DIR]
 *
 * The version is that of deno.json, and CHANGELOG.md must have a section for it. The binary of this
 * machine's own platform is run. A target that cannot be built is reported, and fails the release at
 * the end. DENORT_BIN and DENO_COMPILE: see compile.ts; they serve this machine's own platform only.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sha256Of } from "../ffi/library_files.ts";
import { compile, type Compiled, sizeTable } from "./compile.ts";
import { ownTarget, type Target, targetOf, TARGETS } from "./compile_targets.ts";
import { sbomOf } from "./release_sbom.ts";
import manifest from "../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The file name of a release's binary: `latent-0.1.0-linux-x64`. */
export function binaryName({ platform }: Target, version: string): string {
  return `latent-${version}-${platform}${platform.startsWith("windows") ? ".exe" : ""}`;
}

/** The changelog's section for `version`. @throws {Error} if there is none. */
export function changesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => /^\[?([\d.]+)/.exec(text)?.[1] === version);
  if (section !== undefined) return section.slice(section.indexOf("\n")).trim();
  throw new Error(`Cannot release ${version}: CHANGELOG.md has no section for it. Write one.`);
}

async function release(targets: readonly Target[], output: string): Promise<boolean> {
  const { version } = manifest;
  const changes = changesOf(await Deno.readTextFile(join(ROOT, "CHANGELOG.md")), version);
  await Deno.mkdir(output, { recursive: true });
  await Deno.writeTextFile(join(output, "CHANGES.md"), changes + "\n");
  const built: Compiled[] = [], sums: string[] = [], failures: string[] = [];
  for (const target of targets) {
    try {
      const compiled = await compile(target, join(output, binaryName(target, version)));
      if (target === ownTarget()) await smokeTest(compiled.path, version);
      const sha256 = sha256Of(compiled.path), name = binaryName(target, version);
      const contents = { sha256, packages: compiled.packages, deno: compiled.denoVersion };
      const sbom = JSON.stringify(sbomOf(compiled, manifest, contents), null, 2) + "\n";
      await Deno.writeTextFile(join(output, `${name}.cdx.json`), sbom);
      sums.push(
        `${sha256}  ${name}`,
        `${sha256Of(join(output, `${name}.cdx.json`))}  ${name}.cdx.json`,
      );
      built.push(compiled);
    } catch (error) {
      failures.push(`${target.platform}: ${error instanceof Error ? error.message : error}`);
    }
  }
  await Deno.writeTextFile(join(output, "SHA256SUMS"), sums.join("\n") + "\n");
  console.log(sizeTable(built));
  for (const failure of failures) console.error(failure);
  return failures.length === 0;
}

/** Runs a binary in an empty environment: it must know its version and draw a picture. */
async function smokeTest(path: string, version: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  const run = async (...args: string[]) => {
    const env = { LATENT_CACHE: folder };
    const options = { args, env, clearEnv: true, stdin: "null" } as const;
    const { success, stdout, stderr } = await new Deno.Command(path, options).output();
    if (success) return stdout;
    throw new Error(`Cannot run ${path} ${args[0]}: ${new TextDecoder().decode(stderr).trim()}`);
  };
  try {
    const said = new TextDecoder().decode(await run("--version"));
    if (!said.includes(version)) {
      throw new Error(`${path} says it is ${said.trim()}, not ${version}.`);
    }
    const png = await run("generate", "a red seven", "--steps", "4", "--quiet", "--output", "-");
    if (png[0] !== 0x89 || png[1] !== 0x50) throw new Error(`${path} drew no PNG.`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: { target: { type: "string", multiple: true }, output: { type: "string" } },
  });
  const targets = values.target?.map(targetOf) ?? TARGETS;
  const output = values.output ?? join(ROOT, "dist", manifest.version);
  if (!await release(targets, output)) Deno.exit(1);
}
