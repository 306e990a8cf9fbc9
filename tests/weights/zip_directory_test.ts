import { strict as assert } from "node:assert";
import { join } from "node:path";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openFile } from "../../weights/open_file.ts";
import { readZipDirectory } from "../../weights/zip_directory.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";
import { zipOf } from "./zip_of.ts";

const hello = new TextEncoder().encode("hello");

/** The contents by name, read from the ranges that the directory gives. */
async function contents(zip: Uint8Array): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.zip");
    await Deno.writeFile(path, zip);
    using file = await openFile(path);
    for (const [name, { offset, byteLength }] of await readZipDirectory(file)) {
      found[name] = new TextDecoder().decode(await file.read(offset, byteLength));
    }
  });
  return found;
}

Deno.test("readZipDirectory gives the byte range of each stored entry", async () => {
  const entries = { "a/b.txt": hello, empty: new Uint8Array(), "ü": hello.subarray(1) };
  for (const quirks of [{}, { zip64: true }, { comment: "PK\x05\x06 a comment" }]) {
    assert.deepEqual(await contents(zipOf(entries, quirks)), {
      "a/b.txt": "hello",
      empty: "",
      "ü": "ello",
    });
  }
});

const REFUSED: [what: string, zip: Uint8Array, message: RegExp, key?: string][] = [
  ["no end", hello, /its end is missing/],
  ["compression", zipOf({ a: hello }, { claim: { method: 8 } }), /compressed/, "a"],
  ["encryption", zipOf({ a: hello }, { claim: { flags: 1 } }), /encrypted/, "a"],
  ["two sizes", zipOf({ a: hello }, { claim: { size: 2 ** 31 } }), /two sizes/, "a"],
  [
    "a size beyond the end",
    zipOf({ a: hello }, { claim: { size: 500, stored: 500 } }),
    /not inside/,
  ],
  ["an offset beyond the end", zipOf({ a: hello }, { claim: { offset: 500 } }), /not inside/, "a"],
  ["an offset that is no entry", zipOf({ a: hello }, { claim: { offset: 1 } }), /not inside/, "a"],
  [
    "a 64-bit offset beyond the end",
    zipOf({ a: hello }, { zip64: true, claim: { offset: 2 ** 50 } }),
    /beyond its end/,
  ],
  ["one name twice", zipOf([["a", hello], ["a", hello]]), /two entries have this name/, "a"],
];

for (const [what, zip, message, key] of REFUSED) {
  Deno.test(`readZipDirectory refuses ${what}`, async () => {
    const error: unknown = await contents(zip).catch((thrown: unknown) => thrown);
    assert(error instanceof ModelFormatError, String(error));
    assert.match(error.message, message);
    if (key !== undefined) assert.equal(error.key, key);
  });
}
