/**
 * The compiled program as a user gets it. Not among `deno task test`, for it needs Deno's runtime binary:
 *
 *     deno test -A tests/compile/binary.ts
 *
 * LATENT_BINARY names a binary that is compiled already; DENORT_BIN and DENO_COMPILE: see
 * scripts/compile.ts.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, sizeTable } from "../../scripts/compile.ts";
import { ownTarget } from "../../scripts/compile_targets.ts";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SEVEN = [
  "generate",
  "a red seven on a blue background",
  "--seed",
  "1",
  "--steps",
  "4",
  "--no-metadata",
];
const folder = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const binary = Deno.env.get("LATENT_BINARY") ?? await compileOnce();

async function compileOnce(): Promise<string> {
  const compiled = await compile(ownTarget(), join(folder, "latent"));
  console.log(sizeTable([compiled]));
  return compiled.path;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Runs the binary with nothing in its environment but `env`, and no network where that can be had. */
async function run(args: readonly string[], env: Record<string, string>) {
  const alone = canUnshare ? ["unshare", "--map-root-user", "--net"] : [];
  const [program, ...rest] = [...alone, binary, ...args];
  const output = await new Deno.Command(program!, {
    args: rest,
    env,
    clearEnv: true,
    stdin: "null",
  }).output();
  return { ...output, errors: text(output.stderr).trim() };
}

const canUnshare = await new Deno.Command("unshare", { args: ["--map-root-user", "--net", "true"] })
  .output().then(({ success }) => success, () => false);

async function fresh(): Promise<string> {
  return await Deno.makeTempDir({ dir: folder });
}

async function libraryIn(cache: string): Promise<string> {
  const [version] = [...Deno.readDirSync(join(cache, "onnxruntime"))];
  const place = join(cache, "onnxruntime", version!.name);
  const names = (await Array.fromAsync(Deno.readDir(place))).map(({ name }) => name);
  assert.equal(names.length, 1, `left behind: ${names}`);
  return join(place, names[0]!);
}

Deno.test("the binary tells its version", async () => {
  const { code, stdout } = await run(["--version"], {});
  assert.equal(code, 0);
  assert.ok(text(stdout).startsWith(`latent ${manifest.version} `));
});

Deno.test("the binary draws in an empty environment with a home it cannot write", async () => {
  const TMPDIR = await fresh(), output = join(TMPDIR, "seven.png");
  const empty = await run([...SEVEN, "-q", "-o", output], { HOME: "/proc/self", TMPDIR });
  assert.deepEqual([empty.code, empty.errors], [0, ""]);
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(ROOT, "cli.ts"), ...SEVEN, "-q", "-o", "-"],
  }).output();
  assert.equal(code, 0);
  assert.deepEqual(await Deno.readFile(output), stdout, "not the picture that the sources draw");
});

Deno.test("the binary writes a PNG to standard output", async () => {
  const { code, stdout, errors } = await run([...SEVEN, "-q", "-o", "-"], {
    LATENT_CACHE: await fresh(),
  });
  assert.deepEqual([code, errors], [0, ""]);
  assert.deepEqual([...stdout.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
});

Deno.test("the binary unpacks the library once, and again when it was changed", async () => {
  const cache = await fresh(), env = { LATENT_CACHE: cache };
  const draw = async () => {
    const { code, errors } = await run([...SEVEN, "-q", "-o", "-"], env);
    assert.deepEqual([code, errors], [0, ""]);
    return await Deno.stat(await libraryIn(cache));
  };
  const first = await draw();
  assert.equal((await draw()).ino, first.ino);
  await Deno.writeTextFile(await libraryIn(cache), "not a library");
  assert.equal((await draw()).size, first.size);
});

Deno.test("two binaries that start together in an empty cache both draw", async () => {
  const env = { LATENT_CACHE: await fresh() };
  const both = await Promise.all([1, 2].map(() => run([...SEVEN, "-q", "-o", "-"], env)));
  for (const { code, errors } of both) assert.deepEqual([code, errors], [0, ""]);
  assert.deepEqual(both[0]!.stdout, both[1]!.stdout);
  await libraryIn(env.LATENT_CACHE);
});

Deno.test("the binary refuses a foreign file beside the library in one line", async () => {
  const cache = await fresh(), env = { LATENT_CACHE: cache };
  await run([...SEVEN, "-q", "-o", "-"], env);
  const stranger = join(await libraryIn(cache), "../libonnxruntime_providers_shared.so");
  await Deno.writeTextFile(stranger, "");
  const { code, errors } = await run([...SEVEN, "-q", "-o", "-"], env);
  assert.equal(code, 1);
  assert.match(errors, /^latent: Cannot load .*providers_shared\.so: it lies in the folder.*$/);
});

Deno.test("the binary has what its rarer commands need", async () => {
  const cache = await fresh(), env = { LATENT_CACHE: cache };
  const jpeg = await run([...SEVEN, "-q", "-o", join(cache, "seven.jpg")], env);
  assert.deepEqual([jpeg.code, jpeg.errors], [0, ""]);
  const html = await run(["explain", "schedulers", "--html", join(cache, "s.html")], env);
  assert.equal(html.code, 0, html.errors);
  assert.match(await Deno.readTextFile(join(cache, "s.html")), /<svg/);
  const hub = await run(["generate", "x", "-q", "-m", "a/b", "-o", join(cache, "x.png")], {
    ...env,
    HF_ENDPOINT: "http://127.0.0.1:1",
    HOME: cache,
  });
  assert.match(hub.errors, /^latent: Cannot open a\/b@main: the Hub cannot be reached/);
});
