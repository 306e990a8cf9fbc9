import assert from "node:assert/strict";
import { TARGETS } from "../../scripts/compile_targets.ts";
import { binaryName, changesOf } from "../../scripts/release.ts";
import manifest from "../../deno.json" with { type: "json" };

Deno.test("CHANGELOG.md has a section for the version of deno.json", async () => {
  const changelog = await Deno.readTextFile(new URL("../../CHANGELOG.md", import.meta.url));
  assert.ok(changesOf(changelog, manifest.version).length > 0);
  assert.throws(() => changesOf(changelog, "99.0.0"), /no section for it/);
  assert.equal(changesOf("# x\n\n## 1.2.0\n\nnew\n\n## 1.1.0\n\nold\n", "1.1.0"), "old");
});

Deno.test("binaryName() names version and platform", () => {
  const names = TARGETS.map((target) => binaryName(target, "1.2.3"));
  assert.ok(names.includes("latent-1.2.3-linux-x64"));
  assert.ok(names.includes("latent-1.2.3-windows-x64.exe"));
  assert.equal(new Set(names).size, TARGETS.length);
});
