/**
 * `latent` between the programs that people chain it to. A test that misses one says so: bash tells
 * `command not found`, which fails it.
 */

import assert from "node:assert/strict";
import { Image } from "../../mod.ts";
import { inFolder, names, shell } from "./process.ts";

/** Runs a script that must go well; returns its lines. */
async function lines(script: string, folder: string): Promise<string[]> {
  const { code, out, errors } = await shell(`set -eo pipefail\n${script}`, folder);
  assert.equal(code, 0, errors);
  return out.trim().split("\n");
}

Deno.test("latent generate writes pictures that file knows, one after the other, through tee", () =>
  inFolder(async (folder) => {
    const script = `printf 'a red one\\na blue two\\n' | latent generate $SMALL -s 5 -q -o - |
      tee both.png | file -
      latent generate 'a red one' $SMALL -s 5 -q -o one.jpg; file one.jpg
      latent generate 'a red one' $SMALL -s 5 -q -o one.png; head -c $(stat -c %s one.png) both.png | cmp - one.png
      latent generate 'a blue two' $SMALL -s 5 -q -o two.png; cat one.png two.png | cmp - both.png`;
    const [stream, jpeg] = await lines(script, folder);
    assert.match(stream!, /PNG image data, 64 x 64, 8-bit\/color RGB, non-interlaced/);
    assert.match(jpeg!, /JPEG image data/);
  }));

Deno.test("latent generate begins in the picture of another latent's standard output", () =>
  inFolder(async (folder) => {
    const script = `latent generate 'a red one' $SMALL -s 5 -q -o - |
      latent generate 'a blue two' --image - --strength 0.9 $SMALL -s 6 -q -o - | tee two.png |
      latent generate 'a tree' --image - --strength 0.9 $SMALL -s 7 -q -o three.png
      latent generate 'a tree' --image two.png --strength 0.9 $SMALL -s 7 -q -o again.png
      cmp three.png again.png; latent metadata three.png --json | jq -r '.prompt, .seed'`;
    assert.deepEqual(await lines(script, folder), ["a tree", "7"]);
  }));

Deno.test("jq counts pictures, seeds, steps and time in the events", () =>
  inFolder(async (folder) => {
    const script =
      `latent generate 'a fox' $SMALL -s 40 --count 3 --json -o 'out/{seed}.png' > events
      jq -s '[.[] | select(.event == "image")] | length' events
      jq -r 'select(.event == "image") | .seed' events | paste -sd ,
      jq -s '[.[] | select(.event == "step") | .step] | length' events
      jq -s 'map(.elapsed) | . == sort' events
      jq -s 'all(.v == 1)' events
      jq -r 'select(.event == "image") | .path' events | xargs -n 1 -P 2 file | wc -l
      jq -r 'select(.event == "done") | .exit' events`;
    const [images, seeds, steps, ...rest] = await lines(script, folder);
    assert.deepEqual([images, seeds], ["3", "40,41,42"]);
    assert.ok(Number(steps) >= 6, steps);
    assert.deepEqual(rest, ["true", "true", "3", "0"]);
  }));

Deno.test("jq makes the prompts, latent draws them, and jq reads what they were", () =>
  inFolder(async (folder) => {
    const script =
      `jq -nc 'range(3) | {prompt: "picture \\(.)", seed: (. * 7), output: "\\(.).png"}' |
        latent generate $SMALL -q
      latent metadata ?.png --json | jq -r '"\\(.prompt) \\(.seed)"'`;
    assert.deepEqual(await lines(script, folder), ["picture 0 0", "picture 1 7", "picture 2 14"]);
  }));

Deno.test("xargs runs one latent a prompt, and passes on that one failed", () =>
  inFolder(async (folder) => {
    const script =
      `printf '%s\\n' red blue | xargs -I{} bash -c 'latent generate {} $SMALL -q -o {}.png'
      ls *.png
      printf '%s\\n' 1 nonsense | xargs -I{} bash -c 'latent generate x $SMALL -q --steps {} -o x.png' 2>&1 || echo $?`;
    const { out } = await shell(`export SMALL; export -f latent\n${script}`, folder);
    const [blue, red, message, code] = out.trim().split("\n");
    assert.deepEqual([blue, red, code], ["blue.png", "red.png", "123"]);
    assert.match(message!, /^latent: --steps takes a whole number; got "nonsense"/);
  }));

Deno.test("ffmpeg makes a film of the frames on standard output", () =>
  inFolder(async (folder) => {
    const script =
      `latent interpolate --from red --to blue -s 1 --to-seed 2 --frames 5 --fps 10 $SMALL -q -o - |
        ffmpeg -v error -i - -pix_fmt yuv420p film.mp4
      latent interpolate --from red --to blue -s 1 --to-seed 2 --frames 5 $SMALL -q -o film.gif
      for film in film.mp4 film.gif; do
        ffprobe -v error -count_frames -show_entries stream=width,height,nb_read_frames -of csv=p=0 $film
      done
      ffprobe -v error -show_entries stream=r_frame_rate -of csv=p=0 film.mp4`;
    assert.deepEqual(await lines(script, folder), ["64,64,5", "64,64,5", "10/1"]);
  }));

Deno.test("ffmpeg reads the frames of a folder, and what it cuts out latent goes on from", () =>
  inFolder(async (folder) => {
    const script = `latent interpolate --from red --to blue -s 1 --frames 2 $SMALL -q -o frames/
      ffmpeg -v error -i frames/frame_%04d.png -frames:v 1 -f image2pipe -c:v png - |
        latent generate "a tree" --image - --strength 0.9 $SMALL -q -o tree.png
      file -b --mime-type tree.png`;
    assert.deepEqual(await lines(script, folder), ["image/png"]);
  }));

Deno.test("every command ends with 141 and without a word when its reader has gone", () =>
  inFolder(async (folder) => {
    // `head` goes after the first picture, `true` long before there is anything to write.
    const asks = [
      "latent generate fox $SMALL --count 9 -q -o - | head -c 100 > start",
      "latent completions fish | true",
      "latent man | true",
      "latent --help | true",
      "latent explain | true",
      "latent metadata x.png --json | true",
    ];
    const before = "latent generate fox $SMALL -q -o x.png";
    for (const ask of asks) {
      const script = `set -o pipefail\n${before}\n${ask}; echo "\${PIPESTATUS[0]}"`;
      const { out, errors } = await shell(script, folder);
      assert.deepEqual([out, errors], ["141\n", ""], ask);
    }
  }));

Deno.test("every command says in one line that its output is full, and exits with 1", () =>
  inFolder(async (folder) => {
    const asks = [
      "--help",
      "--version",
      "man",
      "completions bash",
      "generate fox $SMALL -o -",
      "interpolate --from a --to b --frames 2 $SMALL -o -",
      "explain",
      "metadata x.png",
      "doctor --help",
    ];
    await shell("latent generate fox $SMALL -q -o x.png", folder);
    for (const ask of asks) {
      const { code, errors } = await shell(`latent ${ask} 2>messages > /dev/full; exit $?`, folder);
      const told = (await Deno.readTextFile(`${folder}/messages`)).trim().split("\n").at(-1)!;
      assert.deepEqual([code, errors], [1, ""], ask);
      assert.match(told, /^latent: Cannot write to standard output: No space left/, ask);
    }
  }));

Deno.test("latent goes on when nobody hears its messages", () =>
  inFolder(async (folder) => {
    const { code } = await shell("latent generate fox $SMALL -o x.png 2>/dev/full", folder);
    assert.equal(code, 0);
    const failed = await shell("latent generate fox --model nowhere 2>/dev/full", folder);
    assert.equal(failed.code, 1);
    const wrong = await shell("latent generate fox --stps 3 2>/dev/full", folder);
    assert.equal(wrong.code, 2);
    assert.deepEqual(names(folder), ["x.png"]);
  }));

/** Mounting needs to be root, and allowed to. */
async function mounted(options: string, work: (folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const mount = (...args: string[]) => new Deno.Command("mount", { args }).output();
    const { code } = await mount("-t", "tmpfs", "-o", options, "tmpfs", folder);
    if (code !== 0) {
      // Without a file system of its own: the folder is closed to all but root.
      if (Deno.uid() === 0) return;
      await Deno.chmod(folder, 0o555);
    }
    try {
      await work(folder);
    } finally {
      if (code === 0) await new Deno.Command("umount", { args: [folder] }).output();
    }
  });
}

Deno.test("latent says in one line that it cannot write to a folder, before it draws", () =>
  mounted("ro,size=64k", async (folder) => {
    for (const ask of [`generate fox -o ${folder}/x.png`, `generate fox -o ${folder}/sub/`]) {
      const { code, errors } = await shell(`latent ${ask} $SMALL`, "/");
      assert.equal(code, 1, ask);
      assert.match(
        errors,
        /^latent: Cannot write \S+: (Read-only file system|Permission denied).* Choose another --output\.\n$/,
        ask,
      );
    }
    const { code, errors } = await shell(
      `latent interpolate --from a --to b --frames 2 -o ${folder}/frames/ $SMALL`,
      "/",
    );
    assert.equal(code, 1);
    assert.match(
      errors,
      /^latent: Cannot write \S+: (Read-only file system|Permission denied).*\n$/,
    );
  }));

Deno.test("latent says in one line that the disk is full, and leaves no half file", () =>
  mounted("size=16k", async (folder) => {
    const { code, errors } = await shell(
      "latent generate fox $SMALL -q --count 20 -o 'x-{seed}.png' -s 1",
      folder,
    );
    assert.equal(code, 1);
    assert.match(
      errors,
      /^latent: Cannot save x-\d+\.png: (No space left on device|Permission denied).*\n$/,
    );
    for (const name of names(folder)) {
      assert.match(name, /^x-\d+\.png$/);
      assert.equal((await Image.load(`${folder}/${name}`)).width, 64);
    }
  }));
