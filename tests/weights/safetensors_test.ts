import { strict as assert } from "node:assert";
import { join } from "node:path";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { read } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { assertEqualsGolden, GOLDEN } from "./golden.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

const text = new TextEncoder();

/** A file of the format around any header, valid or not. */
function fileOf(header: unknown, data = 0, headerLength?: bigint): Uint8Array {
  const json = text.encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

async function refusal(bytes: Uint8Array): Promise<ModelFormatError> {
  let error: unknown;
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    await Deno.writeFile(path, bytes);
    error = await openSafetensors(path).catch((thrown: unknown) => thrown);
    assert(error instanceof ModelFormatError, `opened, or threw ${error}`);
    assert.equal(error.path, path);
    assert.doesNotMatch(error.message, /\n/);
  });
  return error as ModelFormatError;
}

Deno.test("openSafetensors reads what the reference implementation wrote, in every dtype", async () => {
  await assertEqualsGolden(
    await openSafetensors(join(GOLDEN, "plain.safetensors")),
    "plain.safetensors",
  );
});

const REFUSED: [what: string, bytes: Uint8Array, message: RegExp, key?: string][] = [
  ["an empty file", new Uint8Array(), /too short; got 0 bytes.*an empty file/],
  ["seven bytes", new Uint8Array(7), /too short/],
  ["a text file", text.encode("All rights reserved.\n"), /it looks like a text file/],
  ["a web page", text.encode("<!DOCTYPE html><html>"), /it looks like a web page/],
  [
    "a Git LFS pointer",
    text.encode("version https://git-lfs.github.com/spec/v1\n"),
    /git lfs pull/,
  ],
  ["a zip archive", text.encode("PK\x03\x04........"), /it looks like a zip archive/],
  ["a header length beyond the file", fileOf({}, 0, 999n), /header ends beyond the file/],
  ["a header length of 2^64 - 1", fileOf({}, 0, 2n ** 64n - 1n), /expected at most 100000000/],
  ["a header that is not JSON", fileOf("{nonsense"), /it is not JSON/],
  ["a header that is several lines of no JSON", fileOf("{\n\nnonsense\n}"), /it is not JSON/],
  ["a name of two lines", fileOf({ "a\nb": 1 }), /tensor a b of/, "a\nb"],
  ["a header that is not UTF-8", new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /it is not JSON/],
  ["a header that is an array", fileOf([]), /not an object/],
  ["a header that is null", fileOf("null"), /not an object/],
  [
    "a name that occurs twice",
    fileOf(`{"a":${JSON.stringify(f32(0, 4))},"\\u0061":${JSON.stringify(f32(0, 4))}}`, 4),
    /the name a occurs twice/,
    "a",
  ],
  [
    "a field that occurs twice",
    fileOf(`{"a":{"dtype":"F32","dtype":"F16"}}`),
    /dtype occurs twice/,
  ],
  ["metadata with a number", fileOf({ __metadata__: { a: 1 } }), /not an object of strings/],
  ["an entry that is a number", fileOf({ a: 1 }), /entry is not an object/, "a"],
  [
    "an unknown dtype",
    fileOf({ a: { ...f32(0, 4), dtype: "F31" } }, 4),
    /dtype "F31" is unknown/,
    "a",
  ],
  [
    "an inherited property as dtype",
    fileOf({ a: { ...f32(0, 4), dtype: "toString" } }, 4),
    /dtype "toString" is unknown/,
  ],
  [
    "a negative size",
    fileOf({ a: f32(0, 4, [-1]) }, 4),
    /shape \[-1\] is not a list of sizes/,
    "a",
  ],
  ["a fractional size", fileOf({ a: f32(0, 4, [0.5, 2]) }, 4), /not a list of sizes/, "a"],
  ["a shape that is text", fileOf({ a: f32(0, 4, "1") }, 4), /not a list of sizes/, "a"],
  [
    "sizes whose product is beyond exact numbers",
    fileOf({ a: f32(0, 4, [2 ** 31, 2 ** 31]) }, 4),
    /expected NaN/,
    "a",
  ],
  ["one offset", fileOf({ a: { ...f32(0, 4), data_offsets: [0] } }, 4), /not two byte positions/],
  ["offsets in the wrong order", fileOf({ a: f32(4, 0, [1]) }, 4), /got -4, expected 4/, "a"],
  ["a shape that needs more bytes", fileOf({ a: f32(0, 4, [2]) }, 4), /got 4, expected 8/, "a"],
  [
    "tensors that overlap",
    fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12),
    /tensor b overlaps a by 4 bytes/,
    "b",
  ],
  ["a gap", fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), /tensor b leaves a gap after a of 4/, "b"],
  [
    "a gap at the start",
    fileOf({ a: f32(4, 8) }, 8),
    /tensor a leaves a gap after the header/,
    "a",
  ],
  ["a truncated file", fileOf({ a: f32(0, 400) }, 100), /the file is too short/, "a"],
  ["bytes left over", fileOf({ a: f32(0, 4) }, 5), /bytes are left over/],
];

for (const [what, bytes, message, key] of REFUSED) {
  Deno.test(`openSafetensors refuses ${what} in one line`, async () => {
    const error = await refusal(bytes);
    assert.match(error.message, message);
    if (key !== undefined) assert.equal(error.key, key);
  });
}

Deno.test("openSafetensors refuses a folder and a missing file by name", async () => {
  for (const [path, why] of [[GOLDEN, /directory/], [join(GOLDEN, "absent"), /no such file/]]) {
    await assert.rejects(openSafetensors(path as string), (error: ModelFormatError) => {
      assert.match(error.message, why as RegExp);
      return error instanceof ModelFormatError && error.path === path && error.cause !== undefined;
    });
  }
});

Deno.test("openSafetensors accepts empty tensors, an empty file of the format, and padding", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await Deno.writeFile(path, fileOf("{}   "));
    assert.deepEqual([...(await openSafetensors(path)).names()], []);
    const empty = { dtype: "F16", shape: [0, 3], data_offsets: [4, 4] };
    await Deno.writeFile(path, fileOf({ b: f32(4, 8), nothing: empty, a: f32(0, 4) }, 8));
    const source = await openSafetensors(path);
    assert.deepEqual([...source.names()], ["a", "nothing", "b"]);
    assert.equal((await read(source.get("nothing")!)).length, 0);
    assert.equal(source.get("toString"), undefined);
  });
});

Deno.test("openSafetensors places tensors beyond 4 GB, and read reaches them", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "huge.safetensors");
    const big = 5 * 2 ** 30;
    const header = fileOf({ a: f32(0, big), b: { ...f32(0, 4), data_offsets: [big, big + 4] } });
    await Deno.writeFile(path, header);
    // A hole: it takes no space on the disk.
    await Deno.truncate(path, header.length + big + 4);
    {
      using file = await Deno.open(path, { write: true });
      await file.seek(header.length + big, Deno.SeekMode.Start);
      await file.write(new Uint8Array([1, 2, 3, 4]));
    }
    const source = await openSafetensors(path);
    assert.deepEqual(source.get("a")!.shape, [big / 4]);
    assert.deepEqual([...await read(source.get("b")!)], [1, 2, 3, 4]);
  });
});

Deno.test("openSafetensors reports the real path behind symlinks, as ONNX Runtime needs it", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.mkdir(join(folder, "snapshots/0"), { recursive: true });
    await Deno.mkdir(join(folder, "blobs"));
    await Deno.copyFile(join(GOLDEN, "plain.safetensors"), join(folder, "blobs/abc"));
    const link = join(folder, "snapshots/0/model.safetensors");
    await Deno.symlink("../../blobs/abc", link);
    const source = await openSafetensors(link);
    assert.equal(source.path, link);
    const { location } = source.get("f32")!;
    assert.equal("file" in location && location.file, join(folder, "blobs/abc"));
  });
});

Deno.test("read says so when the file has become shorter since it was opened", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await Deno.writeFile(path, fileOf({ a: f32(0, 8) }, 8));
    const source = await openSafetensors(path);
    await Deno.truncate(path, 60);
    await assert.rejects(read(source.get("a")!), /too short/);
  });
});
