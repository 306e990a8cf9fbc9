/** `latent interpolate` as a user meets it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Image, RECIPE_KEYWORD } from "../../mod.ts";
import { inFolder, MODEL, names, run, shell, SMALL } from "./process.ts";

const WALK = ["--from", "a red hill", "--to", "a blue sea", "--seed", "1", "--to-seed", "2"];
const walk = (...args: string[]) => run("interpolate", ...SMALL, ...WALK, ...args);

async function drawn(path: string): Promise<Uint8ClampedArray> {
  return (await Image.load(path)).data;
}

Deno.test("latent interpolate begins and ends with the pictures that generate draws", () =>
  inFolder(async (folder) => {
    assert.equal((await walk("--frames", "2", "-o", folder)).code, 0);
    assert.deepEqual(names(folder), ["frame_0000.png", "frame_0001.png"]);
    for (const [i, prompt] of ["a red hill", "a blue sea"].entries()) {
      const path = join(folder, "one.png");
      await run("generate", prompt, ...SMALL, "--seed", `${i + 1}`, "-o", path);
      assert.deepEqual(await drawn(path), await drawn(join(folder, `frame_000${i}.png`)));
    }
  }));

Deno.test("latent interpolate keeps whole frames of the same flags, and draws the others", () =>
  inFolder(async (folder) => {
    const path = (i: number) => join(folder, `frame_000${i}.png`);
    await walk("--frames", "3", "-o", folder);
    const before = await Promise.all([0, 1, 2].map((i) => Deno.readFile(path(i))));
    await Deno.writeFile(path(1), before[1]!.subarray(0, 2000));
    await Deno.remove(path(2));
    const first = (await Deno.stat(path(0))).mtime;
    assert.equal((await walk("--frames", "3", "-o", folder)).code, 0);
    assert.deepEqual((await Deno.stat(path(0))).mtime, first);
    for (const i of [0, 1, 2]) assert.deepEqual(await Deno.readFile(path(i)), before[i]);
    await walk("--frames", "3", "-o", folder, "--guidance-scale", "2");
    for (const i of [0, 1, 2]) {
      assert.notDeepEqual(await drawn(path(i)), (await Image.load(before[i]!)).data);
    }
  }));

Deno.test("latent interpolate keeps no frame that other flags of the model would draw otherwise", () =>
  inFolder(async (folder) => {
    const path = join(folder, "frame_0000.png");
    await walk("--frames", "2", "-o", folder);
    const before = await Image.load(path);
    // What is not given leaves no trace: frames from before a flag was there are kept.
    const { source } = JSON.parse(before.text[RECIPE_KEYWORD]!);
    assert.deepEqual(source, { model: MODEL });
    await walk("--frames", "2", "-o", folder, "--precision", "int8");
    assert.notDeepEqual(await drawn(path), before.data);
    await walk("--frames", "2", "-o", folder);
    assert.deepEqual(await drawn(path), before.data);
  }));

Deno.test("latent interpolate with feedback goes on where it was stopped, to the same pictures", () =>
  inFolder(async (folder) => {
    const flags = ["--from", "a hill", "--to", "a sea", "--seed", "1", "--feedback", "0.6"];
    const go = () => run("interpolate", ...SMALL, ...flags, "--frames", "3", "-o", folder);
    assert.equal((await go()).code, 0);
    const path = join(folder, "frame_0002.png"), before = await Deno.readFile(path);
    await Deno.remove(path);
    await go();
    assert.deepEqual(await Deno.readFile(path), before);
    assert.notDeepEqual(await drawn(path), await drawn(join(folder, "frame_0001.png")));
  }));

Deno.test("latent interpolate writes one animation, or nothing", () =>
  inFolder(async (folder) => {
    assert.equal((await walk("--frames", "2", "--loop", "-o", join(folder, "new/x.gif"))).code, 0);
    const gif = await Deno.readFile(join(folder, "new/x.gif"));
    assert.equal(new TextDecoder().decode(gif.subarray(0, 6)), "GIF89a");
    assert.equal((await walk("--frames", "2", "-o", join(folder, "x.png"))).code, 0);
    const png = new TextDecoder("latin1").decode(await Deno.readFile(join(folder, "x.png")));
    assert.ok(png.includes("acTL"));
    const { code, errors } = await walk("--timeout", "0.001", "-o", join(folder, "late.gif"));
    assert.equal(code, 1);
    assert.match(errors, /^latent: Cannot finish the picture: it took longer than 0\.001 s/);
    assert.deepEqual(names(folder), ["new", "x.png"]);
  }));

Deno.test("latent interpolate writes y4m to standard output, and stops quietly with its reader", () =>
  inFolder(async (folder) => {
    const flags = `$SMALL -p fox -p hen --seed 1 --frames 3 --fps 8 -q -o -`;
    const { out, errors } = await shell(
      `latent interpolate ${flags} > all.y4m; head -n 1 all.y4m; wc -c < all.y4m
       latent interpolate ${flags} --frames 900 | head -c 100 | wc -c; echo "\${PIPESTATUS[0]}"`,
      folder,
    );
    assert.equal(errors, "");
    const [header, size, ...rest] = out.trim().split("\n");
    assert.match(header!, /^YUV4MPEG2 W64 H64 F8:1 /);
    assert.equal(Number(size), header!.length + 1 + 3 * ("FRAME\n".length + 64 * 64 * 1.5));
    assert.deepEqual(rest, ["100", "141"]);
  }));

const MISUSE: readonly (readonly [what: string, args: string[], line: RegExp])[] = [
  ["no prompt", [], /No prompts\. Try: latent interpolate --from/],
  ["words without a flag", ["a", "b"], /Prompts go behind --from, --prompt and --to; got "a"/],
  ["no frames", ["--from", "a", "--frames", "0"], /--frames takes 1 to/],
  ["a seed that is none", ["--from", "a", "--seed", "x"], /--seed takes a whole number; got "x"/],
  [
    "a seed of 65 bits",
    ["--from", "a", "--seed", "18446744073709551616"],
    /--seed takes a whole number of 64 bits; got 18446744073709551616/,
  ],
  ["an end without a start", ["--from", "a", "--to-seed", "2"], /--to-seed needs --seed/],
  ["a file of no kind", ["--from", "a", "-o", "x.mp4"], /animations are \.gif, .*got "\.mp4"/],
  ["an unknown easing", ["--from", "a", "--easing", "up"], /--easing takes linear, smooth/],
  [
    "seeds with feedback",
    [...SMALL, "--from", "a", "--seed", "1", "--seed", "2", "--feedback", "0.5", "-o", "/tmp/"],
    /Cannot interpolate between seeds/,
  ],
];
for (const [what, args, line] of MISUSE) {
  Deno.test(`latent interpolate exits with 2 for ${what}`, async () => {
    const { code, errors } = await run("interpolate", ...args);
    assert.equal(code, 2, errors);
    assert.match(errors, line);
  });
}
