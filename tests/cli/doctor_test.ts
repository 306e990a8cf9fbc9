/** Broken libraries, as `doctor` and as `generate` tell of them: in one line, without a crash. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageFolder } from "../../ffi/package.ts";
import { ort } from "../ffi/fixtures.ts";
import { inFolder } from "./process.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SEVEN = ["generate", "a red seven", "--steps", "1", "--seed", "1", "--quiet", "-o", "-"];

async function latent(args: readonly string[], flags: readonly string[], library?: string) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...flags, join(ROOT, "cli.ts"), ...args],
    env: { NO_COLOR: "1", ...(library === undefined ? {} : { ORT_DYLIB_PATH: library }) },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code, stdout, out: text(stdout), errors: text(stderr) };
}

/** Writes a copy of ONNX Runtime that says it is of another version, spelled as long. */
async function renumbered(path: string, version: string): Promise<void> {
  const runtime = ort(), bytes = await Deno.readFile(runtime.path);
  const latin = new TextDecoder("latin1").decode(bytes);
  const [from, to] = [`\0${runtime.version}\0`, new TextEncoder().encode(`\0${version}\0`)];
  assert.equal(from.length, to.length);
  for (let at = latin.indexOf(from); at >= 0; at = latin.indexOf(from, at + 1)) bytes.set(to, at);
  await Deno.writeFile(path, bytes);
}

const OTHER = Deno.build.arch === "x86_64" ? "arm64" : "x64";

/** Ways to have a library that does not work, and what is said of each. */
const BROKEN: readonly (readonly [string, (path: string) => Promise<void>, RegExp])[] = [
  ["is too old", (path) => renumbered(path, "1.10.0"), /too old .*got 1\.10\.0, expected 1\.22/],
  ["is too new", (path) => renumbered(path, "2.10.0"), /too new .*got 2\.10\.0, expected 1\.x/],
  [
    "is of another platform",
    (path) =>
      Deno.copyFile(`${packageFolder()}/bin/napi-v6/linux/${OTHER}/libonnxruntime.so.1`, path),
    /cannot open shared object file/,
  ],
  ["is a text file", (path) => Deno.writeTextFile(path, "hello"), /file too short|invalid ELF/],
  ["is not there", async () => {}, /No such file/],
];

for (const [what, make, line] of BROKEN) {
  Deno.test({
    name: `doctor and generate say in a line that a library ${what}`,
    ignore: Deno.build.os !== "linux",
    fn: () =>
      inFolder(async (folder) => {
        const path = join(folder, "libonnxruntime.so.1");
        await make(path);
        const [drawn, probed] = await Promise.all([
          latent(SEVEN, ["-A"], path),
          latent(["doctor", "--probe", path], ["-A"]),
        ]);
        assert.equal(drawn.code, 1);
        assert.match(drawn.errors, line);
        assert.match(drawn.errors, /^latent: [^\n]*$/);
        assert.equal(drawn.out, "");
        assert.equal(probed.code, 0);
        assert.match(JSON.parse(probed.out).failure, line);
      }),
  });
}

Deno.test({
  name: "generate names the symbol that a library lacks",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { code, errors } = await latent(SEVEN, ["-A"], "libc.so.6");
    assert.equal(code, 1);
    assert.match(errors, /^latent: Cannot use libc\.so\.6 .* does not export OrtGetApiBase[^\n]*$/);
  },
});

Deno.test({
  name: "doctor outlives a library that ends the process, and advises",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "libonnxruntime.so.1");
      await Deno.copyFile(ort().path, path);
      await Deno.truncate(path, 16 << 20);
      const { code, out, errors } = await latent(["doctor", "--json"], ["-A"], path);
      assert.deepEqual([code, errors], [1, ""]);
      const report = JSON.parse(out);
      assert.equal(report.libraries.length, 1);
      assert.equal(report.libraries[0].path, path);
      assert.ok(report.libraries[0].trial.failure.length > 0);
      assert.ok(report.advice.some((text: string) => text.includes("ORT_DYLIB_PATH")));
    }),
});

Deno.test("doctor finds the library that generate takes, and draws", async () => {
  const { code, out } = await latent(["doctor", "--json"], ["-A"]);
  assert.equal(code, 0);
  const { libraries, sampling, machine, folders, versions } = JSON.parse(out);
  const taken = libraries.filter((library: { taken: boolean }) => library.taken);
  assert.equal(taken.length, 1);
  assert.equal(taken[0].trial.result.path, ort().path);
  const cpu = taken[0].trial.result.providers.find(({ name }: { name: string }) => name === "cpu");
  assert.equal(cpu.works, true);
  for (const provider of taken[0].trial.result.providers) {
    assert.ok(provider.works || provider.reason.length > 0, provider.name);
  }
  assert.ok(sampling.result.steps > 0);
  assert.ok(machine.memory.total > 0 && machine.threads > 0);
  assert.deepEqual(folders.map(({ purpose }: { purpose: string }) => purpose), ["program", "hub"]);
  assert.equal(versions.deno, Deno.version.deno);
});
