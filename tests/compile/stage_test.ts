import assert from "node:assert/strict";
import { isUnread } from "../../scripts/compile_prune.ts";
import { ownTarget, targetOf, TARGETS } from "../../scripts/compile_targets.ts";

Deno.test("TARGETS are five platforms, each with a library under the name that is looked for", () => {
  const platforms = TARGETS.map(({ platform }) => platform).sort();
  assert.deepEqual(platforms, [
    ...["linux-arm64", "linux-x64", "macos-arm64", "macos-x64", "windows-x64"],
  ]);
  for (const { name, library, npm } of TARGETS) {
    assert.match(name, /^(libonnxruntime\.so\.1|libonnxruntime\.1\.dylib|onnxruntime\.dll)$/);
    assert.ok(library.startsWith("bin/napi-v6/"));
    assert.match(npm, /^onnxruntime-node@\d+\.\d+\.\d+$/);
  }
  assert.equal(ownTarget().triple, Deno.build.target);
  assert.throws(() => targetOf("amiga"), /"amiga"; the targets are linux-x64/);
});

Deno.test("isUnread() keeps what programs load and drops the rest", () => {
  const target = targetOf("linux-x64");
  const drop = ["a/x.map", "a/x.d.mts", "a/y.ts", "/node_modules/@types/node/package.json"];
  const keep = ["a/x.js", "a/package.json", "a/LICENSE", "/node_modules/imagescript/png/node.js"];
  for (const path of drop) assert.equal(isUnread(path, target), true, path);
  for (const path of keep) assert.equal(isUnread(path, target), false, path);
  assert.equal(isUnread("a/x64-linux.node", target), false);
  assert.equal(isUnread("a/x64-win32.node", target), true);
});
