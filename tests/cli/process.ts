/** Runs of the command line for tests: in this process, or as processes of their own in a shell. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import { openRuntime } from "../../ffi/runtime.ts";

export { inTemporaryFolder as inFolder } from "../weights/temporary_folder.ts";

openRuntime(); // stays loaded: no leak of the test that happens to come first

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A small model with random weights. */
export const MODEL = join(ROOT, "tests/golden/reference/models/sd1");

/** Flags of pictures that are quick to draw with it. */
export const SMALL = ["--model", MODEL, "-W", "64", "-H", "64", "--steps", "2"];

/** Runs in this process, quietly; what would go to standard error comes back. */
export function run(...args: string[]): Promise<{ code: number; errors: string }> {
  return runLoudly(...args, "--quiet");
}

/** As above, for commands without --quiet. */
export async function runLoudly(...args: string[]): Promise<{ code: number; errors: string }> {
  const errors: string[] = [], before = console.error;
  console.error = (...values: unknown[]) => errors.push(values.join(" "));
  try {
    return { code: await main(args), errors: errors.join("\n") };
  } finally {
    console.error = before;
  }
}

/** Runs a script of bash in `folder`; `latent` is this program, `$SMALL` the flags above. */
export async function shell(
  script: string,
  folder: string,
): Promise<{ code: number; out: string; bytes: Uint8Array; errors: string }> {
  const latent = `latent() { "${Deno.execPath()}" run -A --no-check "${
    join(ROOT, "cli.ts")
  }" "$@"; }`;
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", `${latent}\nSMALL="${SMALL.join(" ")}"\n${script}`],
    cwd: folder,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), bytes: stdout, errors: text(stderr) };
}

/** Names in a folder, in order. */
export function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** What a program writes to standard output. Fails where the program is missing, or fails. */
export async function output(
  program: string,
  args: readonly string[],
  folder: string,
): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], cwd: folder, stdin: "null" });
  const { code, stdout, stderr } = await command.output().catch((cause) => {
    throw new Error(`This test needs ${program}.`, { cause });
  });
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** What a command prints, run in this process. */
export async function printed(
  command: (args: string[]) => Promise<number>,
  ...args: string[]
): Promise<string> {
  const pieces: string[] = [], before = Deno.stdout.writeSync;
  const decoder = new TextDecoder();
  Deno.stdout.writeSync = (bytes) => {
    pieces.push(decoder.decode(bytes, { stream: true }));
    return bytes.length;
  };
  try {
    assert.equal(await command(args), 0);
  } finally {
    Deno.stdout.writeSync = before;
  }
  return pieces.join("");
}
