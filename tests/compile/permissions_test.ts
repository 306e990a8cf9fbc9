/** Each command with exactly the permissions that the README says it needs, and without one of them. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ENV = "--allow-env=ORT_DYLIB_PATH,LATENT_CACHE,XDG_CACHE_HOME,HOME,LOCALAPPDATA";
const DRAWING = ["--allow-read", "--allow-ffi", ENV];
const SEVEN = ["generate", "a red seven", "--steps", "1", "--seed", "1", "--quiet"];

async function latent(flags: readonly string[], args: readonly string[]) {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...flags, join(ROOT, "cli.ts"), ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, errors: new TextDecoder().decode(stderr).trim() };
}

const folder = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const WRITING = [...DRAWING, `--allow-write=${folder}`];
const output = join(folder, "seven.png");

const ENOUGH: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["--version", [], ["--version"]],
  ["generate --help", [], ["generate", "--help"]],
  ["generate to standard output", DRAWING, [...SEVEN, "-o", "-"]],
  ["generate to a file", WRITING, [...SEVEN, "-o", output]],
  ["interpolate", WRITING, [
    ...["interpolate", "--from", "a red one", "--to", "a red two", "--frames", "2"],
    ...["--steps", "1", "--quiet", "--output", join(folder, "two.gif")],
  ]],
  ["export", WRITING, ["export", "--quiet", "--output", join(folder, "onnx")]],
  ["runtime list", ["--allow-read", ENV], ["runtime", "list"]],
];

for (const [what, flags, args] of ENOUGH) {
  Deno.test(`${what} runs with the permissions that are documented for it`, async () => {
    const { code, errors } = await latent(flags, args);
    assert.deepEqual([code, errors], [0, ""]);
  });
}

for (const needed of WRITING) {
  const name = needed.split("=")[0]!;
  Deno.test(`generate explains in one line that ${name} is missing`, async () => {
    const { code, errors } = await latent(WRITING.filter((flag) => flag !== needed), [
      ...[...SEVEN, "-o", output],
    ]);
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`^latent: [^\\n]*${name}[^\\n]*$`));
  });
}
