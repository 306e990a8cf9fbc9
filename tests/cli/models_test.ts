/** `latent models` on a cache as Hugging Face's tools lay it out. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { inFolder, names, shell } from "./process.ts";

/** A cache with a model of 3000 bytes, and a broken download of 500. */
async function fill(cache: string): Promise<void> {
  const model = join(cache, "models--me--tiny");
  await Deno.mkdir(join(model, "blobs"), { recursive: true });
  await Deno.mkdir(join(model, "refs"), { recursive: true });
  await Deno.writeFile(join(model, "blobs", "a".repeat(64)), new Uint8Array(3000));
  await Deno.writeFile(join(model, "blobs", "b.incomplete"), new Uint8Array(500));
  await Deno.writeTextFile(join(model, "refs", "main"), "0123456789abcdef");
}

Deno.test("latent models lists sizes, removes by name, and says what is not there", () =>
  inFolder(async (folder) => {
    await fill(join(folder, "hub"));
    const { code, out, errors } = await shell(
      `export HF_HUB_CACHE=$PWD/hub
      latent models; latent models list --json
      latent models remove me/tiny
      latent models remove me/tiny || echo "status $?"
      latent models pull "../etc" || echo "status $?"
      latent models pull me/tiny --variant || echo "status $?"`,
      folder,
    );
    assert.equal(code, 0, errors);
    const lines = out.trim().split("\n");
    assert.match(lines[0]!, /^me\/tiny {2}\S.*of a broken download {2}main$/);
    const listed = JSON.parse(lines[1]!);
    assert.deepEqual([listed.name, listed.bytes, listed.incomplete], ["me/tiny", 3000, 500]);
    assert.match(lines[2]!, /^removed me\/tiny/);
    assert.deepEqual(lines.slice(3), ["status 1", "status 2", "status 2"]);
    assert.match(errors, /Cannot remove me\/tiny: it is not in/);
    assert.deepEqual(names(join(folder, "hub")), []);
  }));
