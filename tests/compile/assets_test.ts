import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cachedAssets } from "../../pipeline/assets.ts";
import { assetRecords } from "../../scripts/release_assets.ts";
import manifest from "../../pipeline/assets_manifest.json" with { type: "json" };
import { inTemporaryFolder as inFolder } from "../weights/temporary_folder.ts";

Deno.test("assets_manifest.json tells what the assets are", () => {
  assert.deepEqual(manifest, assetRecords(), "run scripts/release_assets.ts");
});

const BYTES = new Uint8Array([1, 2, 3]);
const sha256 = createHash("sha256").update(BYTES).digest("hex");
const SMALL = { "a/b.bin": { bytes: 3, sha256 }, "c/d.bin": { bytes: 9, sha256: "" } };

/** A server that answers every request with `body`. */
function answering(status: number, body: Uint8Array<ArrayBuffer>) {
  const asked: string[] = [];
  const fetch = (url: URL | RequestInfo) => {
    asked.push(String(url));
    return Promise.resolve(new Response(body, { status }));
  };
  return { asked, fetch };
}

const source = new URL("http://server/x/assets/");

Deno.test("cachedAssets() fetches a folder's files once, and again when they were changed", () =>
  inFolder(async (cache) => {
    const { asked, fetch } = answering(200, BYTES);
    const folder = await cachedAssets("a", SMALL, { source, cache, fetch });
    assert.deepEqual(Deno.readFileSync(`${folder}/b.bin`), BYTES);
    await cachedAssets("a", SMALL, { source, cache, fetch });
    assert.deepEqual(asked, ["http://server/x/assets/a/b.bin"]);
    Deno.writeFileSync(`${folder}/b.bin`, new Uint8Array(3));
    await cachedAssets("a", SMALL, { source, cache, fetch });
    assert.deepEqual(Deno.readFileSync(`${folder}/b.bin`), BYTES);
  }));

Deno.test("cachedAssets() refuses what is not this version's, and says what the server said", () =>
  inFolder(async (cache) => {
    const wrong = answering(200, new Uint8Array([1, 2, 4]));
    const refused = cachedAssets("a", SMALL, { source, cache, fetch: wrong.fetch });
    await assert.rejects(refused, { name: "AssetError", url: "http://server/x/assets/a/b.bin" });
    assert.deepEqual([...Deno.readDirSync(cache)], []);
    const { fetch } = answering(404, BYTES);
    await assert.rejects(cachedAssets("a", SMALL, { source, cache, fetch }), /answered 404/);
    const nowhere = { source, cache: undefined, fetch };
    await assert.rejects(cachedAssets("a", SMALL, nowhere), /set LATENT_CACHE/);
  }));
