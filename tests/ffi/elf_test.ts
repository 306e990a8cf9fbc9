import assert from "node:assert/strict";
import { neededLibraries } from "../../ffi/elf.ts";
import { libraryThatNeeds } from "./elf_fixture.ts";
import { ort } from "./fixtures.ts";

function written(bytes: Uint8Array): string {
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, bytes);
  return path;
}

Deno.test(
  "neededLibraries reads ONNX Runtime itself",
  { ignore: Deno.build.os !== "linux" },
  () => {
    const needed = neededLibraries(ort().path);
    assert.ok(needed?.includes("libc.so.6"), `${needed}`);
    assert.ok(needed?.every((name) => /^(lib|ld-)[\w.+-]+\.so\.\d+$/.test(name)), `${needed}`);
  },
);

Deno.test("neededLibraries keeps the order of the file", () => {
  const names = ["libcublasLt.so.13", "libcublas.so.13", "libcuda.so.1"];
  assert.deepEqual(neededLibraries(written(libraryThatNeeds(names))), names);
  assert.deepEqual(neededLibraries(written(libraryThatNeeds([]))), []);
});

Deno.test("neededLibraries is undefined for what is no library, or half of one", () => {
  assert.equal(neededLibraries(written(new TextEncoder().encode("#!/bin/sh\n"))), undefined);
  assert.equal(neededLibraries(written(new Uint8Array())), undefined);
  const whole = libraryThatNeeds(["libcudart.so.13"]);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(neededLibraries(written(whole.subarray(0, length))), undefined, `${length}`);
  }
  assert.throws(() => neededLibraries("/nowhere/lib.so"), Deno.errors.NotFound);
});

Deno.test("neededLibraries survives any single byte that is wrong", () => {
  const whole = libraryThatNeeds(["libcudart.so.13"]);
  const path = Deno.makeTempFileSync();
  for (let at = 0; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at]! ^= 0xff;
    Deno.writeFileSync(path, damaged);
    const needed = neededLibraries(path);
    assert.ok(needed === undefined || Array.isArray(needed));
  }
});
