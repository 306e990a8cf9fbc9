import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { constants, deflateRawSync, deflateSync, inflateSync } from "node:zlib";
import golden from "../golden/image.json" with { type: "json" };
import { Image } from "../../pipeline/image.ts";
import { ImageError } from "../../pipeline/image_error.ts";
import type { ResizeFilter } from "../../pipeline/image_resize.ts";
import { pngChunk, pngChunks, pngFile } from "../../pipeline/png_chunks.ts";
import { inTemporaryFolder as inFolder } from "../weights/temporary_folder.ts";

function unpacked(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function rgba(image: Image): Uint8Array {
  const out = new Uint8Array(image.width * image.height * 4).fill(255);
  for (let i = 0; i < image.width * image.height; i++) {
    out.set(image.data.subarray(i * image.channels, (i + 1) * image.channels), i * 4);
  }
  return out;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

function file(name: string): Uint8Array {
  return unpacked(golden.decoded.find((entry) => entry.name === name)!.file);
}

function photo(): Image {
  const { photo, photoWidth, photoHeight } = golden.processed;
  return new Image(photoWidth, photoHeight, new Uint8ClampedArray(unpacked(photo)));
}

for (const { name, file, width, height, rgba: want } of golden.decoded) {
  Deno.test(`Image.load decodes as Pillow does: ${name}`, async () => {
    const image = await Image.load(unpacked(file));
    assert.deepEqual([image.width, image.height], [width, height]);
    const tolerance = name === "JPEG CMYK" ? 1 : 0;
    assert.ok(largestDifference(rgba(image), unpacked(want)) <= tolerance);
  });
}

Deno.test("Image.resize equals Pillow's with every filter, up, down, along one axis", () => {
  for (const { width, height, data, results } of golden.resized) {
    const image = new Image(width, height, new Uint8ClampedArray(unpacked(data)));
    for (const { filter, width, height, data } of results) {
      const got = image.resize(width, height, filter as ResizeFilter);
      const what = `${filter} to ${width} x ${height}, ${image.channels} channels`;
      assert.equal(largestDifference(got.data, unpacked(data)), 0, what);
    }
  }
});

Deno.test("Image.resize to the same size gives a copy", () => {
  const image = photo(), same = image.resize(image.width, image.height);
  assert.deepEqual(same.data, image.data);
  assert.notEqual(same.data.buffer, image.data.buffer);
});

Deno.test("Image.fromTensor equals diffusers' postprocess, halves to even", () => {
  const { tensor, width, height, picture } = golden.processed;
  const image = Image.fromTensor(Float32Array.from(tensor), width, height);
  assert.deepEqual([...image.data], [...unpacked(picture)]);
});

Deno.test("Image.fromTensor refuses values that are not numbers instead of painting black", () => {
  const broken = new Float32Array(12).fill(NaN, 5, 6);
  assert.throws(() => Image.fromTensor(broken, 2, 2), /ImageError.*not numbers.*float32/);
  assert.throws(() => Image.fromTensor(new Float32Array(11), 2, 2), /RangeError.*got 11/);
});

Deno.test("Image.toTensor after resize equals diffusers' preprocess bit for bit", () => {
  const want = unpacked(golden.processed.photoTensor);
  const got = photo().resize(16, 16).toTensor();
  assert.deepEqual(Buffer.from(got.buffer).toString("hex"), Buffer.from(want).toString("hex"));
});

Deno.test("Image.fromTensor gives back what toTensor took", () => {
  const image = photo();
  const back = Image.fromTensor(image.toTensor(), image.width, image.height);
  assert.deepEqual(back.data, image.data);
});

Deno.test("Image.toGray and toMask equal Pillow and diffusers, also at latent size", () => {
  const image = photo(), { gray, mask, latentMask, oddMask } = golden.processed;
  assert.deepEqual([...image.toGray()], [...unpacked(gray)]);
  assert.deepEqual([...image.toMask()], mask);
  assert.deepEqual([...image.toMask(5, 3)], latentMask);
  assert.deepEqual([...image.toMask(9, 7)], oddMask);
});

Deno.test("Image.withoutAlpha drops alpha and leaves colours, as Pillow's convert does", () => {
  const clear = new Image(2, 1, Uint8ClampedArray.of(1, 2, 3, 0, 4, 5, 6, 255));
  assert.deepEqual([...clear.withoutAlpha().data], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(photo().withoutAlpha().data, photo().data);
});

Deno.test("Image.crop cuts a part and refuses one that reaches outside", () => {
  const image = photo(), part = image.crop(3, 2, 4, 5);
  assert.deepEqual([part.width, part.height], [4, 5]);
  const at = (2 * image.width + 3) * 3;
  assert.deepEqual(part.data.subarray(0, 12), image.data.subarray(at, at + 12));
  assert.throws(() => image.crop(37, 0, 4, 4), /RangeError.*reaches outside/);
});

Deno.test("Image.encode to PNG and load give the same pixels and texts", async () => {
  const samples = [...golden.resized].map(({ width, height, data }) =>
    new Image(width, height, new Uint8ClampedArray(unpacked(data)))
  );
  for (const image of samples) {
    image.text.parameters = "naïve\nSteps: 3, Seed: 1";
    image.text.prompt = "東京";
    const back = await Image.load(await image.encode());
    assert.deepEqual(back.data, image.data);
    assert.deepEqual(back.text, { parameters: "naïve\nSteps: 3, Seed: 1", prompt: "東京" });
  }
});

Deno.test("Image.encode to JPEG stays near, drops alpha and keeps the texts", async () => {
  const image = photo();
  image.text.parameters = "a café, 東京 🌅";
  image.text.latent = '{"prompt": "東京\\n"}';
  const back = await Image.load(await image.encode("jpeg", { quality: 98 }));
  assert.ok(largestDifference(back.data, image.data) <= 8);
  assert.deepEqual(back.text, {
    parameters: "a café, 東京 🌅",
    latent: '{"prompt": "東京\\n"}',
  });
  const clear = new Image(2, 1, Uint8ClampedArray.of(9, 9, 9, 0, 9, 9, 9, 0));
  assert.equal((await Image.load(await clear.encode("jpeg"))).channels, 3);
});

Deno.test("Image.encode to JPEG refuses what a JPEG cannot keep", async () => {
  const image = photo();
  await assert.rejects(image.encode("jpeg", { quality: 0 }), /RangeError.*got 0/);
  image.text.parameters = "x".repeat(40_000);
  await assert.rejects(image.encode("jpeg"), /RangeError.*too long/);
  image.text.parameters = "short";
  image.text.workflow = "ä".repeat(40_000);
  await assert.rejects(image.encode("jpeg"), /RangeError.*"workflow".*too long/);
  delete image.text.workflow;
  image.text["東"] = "x";
  await assert.rejects(image.encode("jpeg"), /TypeError.*ASCII/);
});

Deno.test("Image.save writes PNG and JPEG by extension and replaces an older file", async () => {
  await inFolder(async (folder) => {
    const image = photo();
    for (const [name, magic] of [["a.png", 0x89], ["b.JPG", 0xff], ["c.jpeg", 0xff]] as const) {
      await Deno.writeTextFile(join(folder, name), "old");
      await image.save(join(folder, name));
      assert.equal((await Deno.readFile(join(folder, name)))[0], magic);
    }
    assert.deepEqual((await Image.load(join(folder, "a.png"))).data, image.data);
    assert.equal([...Deno.readDirSync(folder)].length, 3);
  });
});

Deno.test("Image.save leaves nothing behind when it fails, and says so in one line", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "taken.png"));
    for (const path of [join(folder, "missing", "a.png"), join(folder, "taken.png")]) {
      await assert.rejects(photo().save(path), (error: unknown) => {
        assert.ok(error instanceof ImageError);
        assert.equal(error.source, path);
        assert.match(error.message, /^Cannot save [^\n]+: [^\n]+$/);
        assert.ok(error.cause instanceof Error);
        return true;
      });
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["taken.png"]);
    await assert.rejects(photo().save(join(folder, "a.bmp")), /TypeError.*got \.bmp/);
    await assert.rejects(photo().save(join(folder, "a")), /TypeError.*no extension/);
  });
});

Deno.test("Image.load says in one line why a file is no picture", async () => {
  const png = file("colour type 2 interlaced=False"), jpeg = file("JPEG 4:2:0");
  const damagedPng = png.slice();
  damagedPng[45]! ^= 1;
  const huge = png.slice();
  huge.set([0, 0, 0x75, 0x31], 16); // 30,001 pixels wide
  new DataView(huge.buffer).setUint32(29, crcOf(huge.subarray(12, 29)));
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /it is empty/],
    [new TextEncoder().encode("hello, world"), /not a picture; expected PNG, JPEG or WebP/],
    [new TextEncoder().encode("GIF89a........"), /GIF files are not supported/],
    [png.subarray(0, 40), /ends early/],
    [png.subarray(0, png.length - 12), /ends early/],
    [damagedPng, /damaged/],
    [huge, /got 30001 x 9 pixels/],
    [jpeg.subarray(0, 300), /ends early|header/],
    [jpeg.subarray(0, jpeg.length - 2), /ends early/],
    [file("WebP").subarray(0, 60), /WebP file is damaged/],
  ];
  for (const [bytes, why] of cases) {
    await assert.rejects(Image.load(bytes), (error: unknown) => {
      assert.ok(error instanceof ImageError, String(error));
      assert.match(error.message, why);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
});

Deno.test("Image.load refuses a PNG whose chunks are whole but whose pixels are not", async () => {
  const [header, data] = pngChunks(file("colour type 2 interlaced=False"), "test");
  const rows = inflateSync(data!.data);
  const header8 = pngChunk("IHDR", header!.data), end = pngChunk("IEND");
  const palette8 = pngChunk("IHDR", header!.data.with(9, 3));
  const pixels = (bytes: Uint8Array) => pngChunk("IDAT", deflateSync(bytes));
  const cases: [string, Uint8Array[]][] = [
    ["no header", [pixels(rows), end]],
    ["no pixels", [header8, end]],
    ["too few rows", [header8, pixels(rows.subarray(0, 80)), end]],
    ["a filter that PNG does not have", [header8, pixels(rows.with(0, 9)), end]],
    ["half a zlib stream", [header8, pngChunk("IDAT", data!.data.subarray(0, 50)), end]],
    ["a colour type that PNG does not have", [pngChunk("IHDR", header!.data.with(9, 5)), end]],
    ["no palette", [palette8, pixels(rows), end]],
    ["a gigabyte in a small file", [header8, pngChunk("IDAT", gigabyteOfZeros()), end]],
  ];
  for (const [what, chunks] of cases) {
    await assert.rejects(Image.load(pngFile(chunks)), (error: unknown) => {
      assert.ok(error instanceof ImageError, `${what}: ${error}`);
      assert.match(error.message, /^Cannot read the picture: [^\n]+\.$/);
      return true;
    });
  }
  assert.equal((await Image.load(pngFile([header8, pixels(rows), end]))).width, 11);
});

/** A deflated gigabyte, put together from one deflated megabyte. */
function gigabyteOfZeros(): Uint8Array {
  const flush = constants.Z_FULL_FLUSH;
  const megabyte = deflateRawSync(new Uint8Array(2 ** 20), { finishFlush: flush });
  const start = Uint8Array.of(0x78, 0x9c), end = Uint8Array.of(3, 0, 0, 0, 0, 1);
  return new Uint8Array(Buffer.concat([start, ...Array(1024).fill(megabyte), end]));
}

Deno.test("Image.load still decodes after hundreds of damaged JPEGs", async () => {
  const good = file("JPEG 4:2:0"), damaged = good.slice();
  const table = damaged.findIndex((byte, i) => byte === 0xff && damaged[i + 1] === 0xc4);
  damaged.fill(0xff, table + 5, table + 8); // code lengths that no Huffman table has
  for (let i = 0; i < 400; i++) await assert.rejects(Image.load(damaged), ImageError);
  assert.equal((await Image.load(good)).width, 29);
});

Deno.test("Image.load calls a missing file by its name", async () => {
  await assert.rejects(Image.load("/no/such/file.png"), (error: unknown) => {
    assert.ok(error instanceof ImageError);
    assert.equal(error.message, "Cannot read /no/such/file.png: there is no such file.");
    return true;
  });
});

Deno.test("Image refuses data that does not fit its size", () => {
  assert.throws(() => new Image(2, 2, new Uint8ClampedArray(11)), /RangeError.*got 11 bytes/);
  assert.throws(() => new Image(0, 2, new Uint8ClampedArray()), RangeError);
  assert.throws(() => photo().resize(0, 5), /RangeError.*got 0 x 5/);
  assert.throws(() => photo().resize(1.5, 5), RangeError);
});

function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
