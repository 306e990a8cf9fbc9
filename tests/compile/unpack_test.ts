import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { brotliCompressSync } from "node:zlib";
import { cacheFolder, privateFolder } from "../../ffi/library_folders.ts";
import { type PackedLibrary, unpack, unpackedFolder } from "../../ffi/library_unpack.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

const CONTENTS = new TextEncoder().encode("a library ".repeat(1000));
const LIBRARY: PackedLibrary = {
  version: "1.30.0",
  platform: "linux-x64",
  name: "libonnxruntime.so.1",
  packed: "libonnxruntime.so.1.br",
  bytes: CONTENTS.length,
  sha256: createHash("sha256").update(CONTENTS).digest("hex"),
};

/** Runs `work` with a cache folder and the packed library's path. */
const inFolder = (work: (cache: string, source: string) => void | Promise<void>) =>
  inTemporaryFolder(async (folder) => {
    await Deno.writeFile(`${folder}/packed.br`, brotliCompressSync(CONTENTS));
    await work(`${folder}/cache`, `${folder}/packed.br`);
  });

Deno.test("unpack() makes the library once, in a folder of its version and hash", () =>
  inFolder((cache, source) => {
    const path = unpack(LIBRARY, source, [() => cache]);
    assert.equal(path, `${cache}/${unpackedFolder(LIBRARY)}/libonnxruntime.so.1`);
    assert.deepEqual(Deno.readFileSync(path), CONTENTS);
    const { ino } = Deno.statSync(path);
    assert.equal(unpack(LIBRARY, "/nowhere", [() => cache]), path);
    assert.equal(Deno.statSync(path).ino, ino);
    assert.match(unpackedFolder(LIBRARY), /^onnxruntime\/1\.30\.0-linux-x64-[0-9a-f]{12}$/);
  }));

for (
  const [what, damage] of [
    [
      "a file of the same length",
      (path: string) => Deno.writeFileSync(path, CONTENTS.map(() => 1)),
    ],
    ["half a file", (path: string) => Deno.truncateSync(path, 100)],
    ["a link", (path: string) => {
      const elsewhere = path.replace(/\/onnxruntime\/.*/, "/elsewhere");
      Deno.copyFileSync(path, elsewhere);
      Deno.removeSync(path);
      Deno.symlinkSync(elsewhere, path);
    }],
  ] as const
) {
  Deno.test(`unpack() replaces ${what} in the library's place`, () =>
    inFolder((cache, source) => {
      const path = unpack(LIBRARY, source, [() => cache]);
      damage(path);
      unpack(LIBRARY, source, [() => cache]);
      assert.ok(Deno.lstatSync(path).isFile);
      assert.deepEqual(Deno.readFileSync(path), CONTENTS);
    }));
}

Deno.test("unpack() refuses a folder with a stranger, which ONNX Runtime might load", () =>
  inFolder((cache, source) => {
    const path = unpack(LIBRARY, source, [() => cache]);
    const stranger = path.replace(/[^/]*$/, "libonnxruntime_providers_cuda.so");
    Deno.writeTextFileSync(stranger, "");
    const expected = { name: "LibraryIntegrityError", path: stranger };
    assert.throws(() => unpack(LIBRARY, source, [() => cache]), expected);
  }));

Deno.test("unpack() goes to the next folder where one cannot be written, and says why at the end", () =>
  inFolder((cache, source) => {
    const path = unpack(LIBRARY, source, [() => undefined, () => "/proc/nowhere", () => cache]);
    assert.ok(path.startsWith(cache));
    assert.throws(
      () => unpack(LIBRARY, source, [() => "/proc/nowhere"]),
      /Cannot unpack ONNX Runtime: no cache folder can be written: .*\/proc\/nowhere.*LATENT_CACHE/,
    );
  }));

Deno.test("privateFolder() refuses a folder that others can write", () =>
  inFolder((cache) => {
    Deno.mkdirSync(cache);
    const path = privateFolder(cache);
    assert.equal(privateFolder(cache), path);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o700);
    Deno.chmodSync(path, 0o777);
    assert.throws(() => privateFolder(cache), /not this user's alone/);
    Deno.removeSync(path);
    Deno.symlinkSync("/usr", path);
    assert.throws(() => privateFolder(cache), /not this user's alone/);
  }));

Deno.test("cacheFolder() follows the system's custom and LATENT_CACHE", () => {
  const of = (os: "linux" | "darwin" | "windows", env: Record<string, string>) =>
    cacheFolder({ os, env });
  assert.equal(of("linux", { HOME: "/home/a" }), "/home/a/.cache/latent");
  assert.equal(of("linux", { HOME: "/home/a", XDG_CACHE_HOME: "/c" }), "/c/latent");
  assert.equal(of("darwin", { HOME: "/Users/a" }), "/Users/a/Library/Caches/latent");
  assert.equal(of("windows", { LOCALAPPDATA: "C:\\L" }), "C:\\L\\latent");
  assert.equal(of("linux", { HOME: "/home/a", LATENT_CACHE: "/x" }), "/x");
  assert.equal(of("linux", {}), undefined);
});
