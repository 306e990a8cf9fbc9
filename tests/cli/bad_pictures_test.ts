/** Pictures as people have them, and files that are none: drawn from, or refused in one line. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Image } from "../../mod.ts";
import { difference } from "../pipeline/difference.ts";
import { inFolder, MODEL, names, run, SMALL } from "./process.ts";

const PICTURES = fileURLToPath(new URL("../golden/pictures/", import.meta.url));
const MASKS = fileURLToPath(new URL("../golden/steering/", import.meta.url));
const picture = (name: string) => join(PICTURES, name);

/** What is drawn from a picture, with any other flags. */
async function drawn(folder: string, name: string, ...flags: string[]): Promise<Image> {
  const output = join(folder, "out.png");
  const args = ["a fox", ...SMALL, "--seed", "5", "--image", picture(name), ...flags];
  const { code, errors } = await run("generate", ...args, "--output", output);
  assert.equal(code, 0, errors);
  return await Image.load(output);
}

/** Files, what they are the same picture as, and how far the result may be from that one's. */
const SAME: readonly (readonly [name: string, as: string, most: number])[] = [
  ["rgba.png", "rgb.png", 0],
  ["palette.png", "rgb.png", 0],
  ["bits16.png", "rgb.png", 0],
  ["interlaced.png", "rgb.png", 0],
  ["animated.png", "rgb.png", 0],
  ["still.webp", "rgb.png", 0],
  ["gray.png", "gray_as_rgb.png", 0],
  ["gray_alpha.png", "gray_as_rgb.png", 0],
  ["progressive.jpg", "baseline.jpg", 0],
  ["turned.jpg", "baseline.jpg", 4],
  // Colours that went through another space.
  ["cmyk.jpg", "rgb.png", 40],
];
Deno.test("latent generate draws the same from one picture in every kind of file", () =>
  inFolder(async (folder) => {
    const references = new Map<string, Image>();
    for (const as of new Set(SAME.map(([, as]) => as))) {
      references.set(as, await drawn(folder, as, "--strength", "0.5"));
    }
    const [first, ...others] = references.values();
    assert.ok(others.every((other) => difference(first!, other) > 0), "a picture counts");
    for (const [name, as, most] of SAME) {
      const got = await drawn(folder, name, "--strength", "0.5");
      const worst = difference(got, references.get(as)!);
      assert.ok(worst <= most, `${name}: ${worst}`);
    }
  }));

Deno.test("latent generate takes a picture of 30,000 x 1 pixels where the size is given", () =>
  inFolder(async (folder) => {
    assert.equal((await drawn(folder, "long.png", "--strength", "0.5")).width, 64);
  }));

Deno.test("latent generate takes a mask of another size, and one that is all white", () =>
  inFolder(async (folder) => {
    const small = join(folder, "small.png"), white = join(folder, "white.png");
    const half = new Uint8ClampedArray(3 * 16 * 16).map((_, i) => i % 48 < 24 ? 255 : 0);
    await new Image(16, 16, half).save(small);
    await new Image(64, 64, new Uint8ClampedArray(3 * 64 * 64).fill(255)).save(white);
    const original = await Image.load(picture("rgb.png"));
    const left = await drawn(folder, "rgb.png", "--mask", small, "--paste-back");
    const right = (of: Image) => of.crop(48, 0, 16, 64);
    assert.equal(difference(right(left), right(original)), 0);
    assert.ok(difference(left, original) > 20);
    const all = await drawn(folder, "rgb.png", "--mask", white, "--paste-back");
    assert.ok(difference(right(all), right(original)) > 20);
  }));

const image = (name: string) => ["--image", picture(name)];
const MASK = join(MASKS, "mask.png"), NET = join(MODEL, "unet");

/** What is refused: flags, the exit code, and the one line. */
const REFUSED: readonly (readonly [what: string, flags: string[], code: number, line: RegExp])[] = [
  ["an empty file", image("empty.png"), 1, /empty\.png: it is empty\./],
  ["a text called .png", image("text.png"), 1, /text\.png: it is not a picture; expected PNG/],
  ["half a PNG", image("truncated.png"), 1, /the PNG file ends early/],
  ["a GIF", image("animated.gif"), 1, /GIF files are not supported; expected PNG/],
  ["an animated WebP", image("animated.webp"), 1, /the WebP file is animated\. Save it as a PNG/],
  ["900 million pixels", image("huge_header.png"), 1, /out of bounds; got 30000 x 30000 pixels/],
  ["a side of 30,001", image("too_long.png"), 1, /out of bounds; got 30001 x 1 pixels/],
  ["no such file", image("nowhere.png"), 1, /nowhere\.png: there is no such file/],
  ["a mask without a picture", ["--mask", MASK], 2, /a mask needs the image that it is over/],
  ["strength without a picture", ["--strength", "0.5"], 2, /strength needs the image to begin in/],
  ["padding without a mask", ["--masked-padding", "0"], 2, /maskedPadding needs a mask/],
  ["blur without a mask", [...image("rgb.png"), "--mask-blur", "2"], 2, /maskBlur needs a mask/],
  ["an extension of nothing", ["--extend", "left:8"], 2, /extending needs the image/],
  ["a mask that is all black", [...image("rgb.png"), "--mask", "BLACK"], 2, /mask is all black/],
  ["a ControlNet without a picture", ["--controlnet", NET], 2, /one --control-image for each/],
  ["a picture without a ControlNet", ["--control-image", MASK], 2, /got 1 for 0/],
  ["a scale without a ControlNet", ["--control-scale", "1"], 2, /More --control-scale than/],
];
for (const [what, flags, code, line] of REFUSED) {
  Deno.test(`latent generate refuses ${what} in one line`, () =>
    inFolder(async (folder) => {
      const black = join(folder, "black.png"), output = join(folder, "out.png");
      await new Image(64, 64, new Uint8ClampedArray(3 * 64 * 64)).save(black);
      const args = flags.map((flag) => flag === "BLACK" ? black : flag);
      const result = await run("generate", "a fox", ...SMALL, ...args, "--output", output);
      assert.deepEqual([result.code, result.errors.split("\n").length], [code, 1], result.errors);
      assert.match(result.errors, line);
      assert.deepEqual(names(folder), ["black.png"]);
    }));
}

Deno.test("latent generate asks for a size where a picture is too thin to give one", () =>
  inFolder(async (folder) => {
    const args = [
      "a fox",
      "-m",
      MODEL,
      "--steps",
      "1",
      ...image("long.png"),
      "-o",
      folder + "/x.png",
    ];
    const { code, errors } = await run("generate", ...args);
    assert.equal(code, 2);
    assert.match(errors, /30000 x 1 pixels is too thin.*Give width and height/);
  }));

Deno.test("latent verify draws an outpainted picture again, given what it was made from", () =>
  inFolder(async (folder) => {
    const output = join(folder, "wide.png"), size = ["-m", MODEL, "--steps", "2", "-s", "5"];
    const extend = ["--extend", "right:16", "--mask", MASK, "--mask-blur", "2", "--paste-back"];
    const args = ["generate", "a fox", ...size, ...image("rgb.png"), ...extend, "-o", output];
    assert.equal((await run(...args)).code, 0);
    assert.equal((await Image.load(output)).width, 80);
    assert.equal((await run("verify", output, ...image("rgb.png"), "--mask", MASK)).code, 0);
    const without = await run("verify", output, "--mask", MASK);
    assert.equal(without.code, 2);
    assert.match(without.errors, /made from other pictures\. Give --image \(64 x 64\)/);
  }));
