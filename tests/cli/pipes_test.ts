/** `latent generate` between other programs; all of them are on every Linux. */

import assert from "node:assert/strict";
import { inFolder, names, shell } from "./process.ts";

/** Lines of prompts as other programs write them, mistakes among them. */
const LINES = [
  "a fox",
  '{"prompt": "a hen", "steps": 1, "seed": 18446744073709551615}',
  "",
  '{"prompt": "a cow", "steps": 0}',
  '{"promt": "a cow"}',
  '{"prompt": "a cow", "model": "other"}',
  '{"prompt": "a',
  '{"prompt": "a cow", "image": "nowhere.png"}',
  '{"prompt": "a cow", "scheduler": "eulr"}',
  '{"prompt": "a cat", "guidanceScale": 1, "karras": false, "output": "cat.png"}',
];

/** What is told of the lines that failed. */
const FAILURES: readonly (readonly [line: number, kind: string, message: RegExp])[] = [
  [4, "UsageError", /--steps takes 1 to/],
  [5, "UsageError", /Unknown flag --promt\. Did you mean --prompt/],
  [6, "UsageError", /model is for the whole run/],
  [7, "UsageError", /Cannot read the options: Unterminated string/],
  [8, "ImageError", /nowhere\.png: there is no such file/],
  [9, "OptionError", /no sampler has that name/],
];

Deno.test("latent generate goes on after bad lines and tells of them; tee, grep and xargs read along", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/lines`, LINES.join("\n"));
    const { code, out, errors } = await shell(
      `set -o pipefail
       latent generate $SMALL --seed 5 -o 'out/{index}-{seed}.png' --json < lines | tee events |
         grep -o '"path":"[^"]*"' | cut -d'"' -f4 | xargs ls`,
      folder,
    );
    assert.deepEqual([code, errors], [1, ""]);
    const pictures = ["cat.png", "out/0000-5.png", "out/0001-18446744073709551615.png"];
    assert.deepEqual(out.trim().split("\n"), pictures);
    const text = await Deno.readTextFile(`${folder}/events`);
    const events = text.trim().split("\n").map((line) => JSON.parse(line));
    assert.ok(events.every(({ v }) => v === 1));
    assert.equal(events[0].event, "start");
    const failed = events.filter(({ event }) => event === "error");
    assert.deepEqual(
      failed.map(({ line, kind }) => [line, kind]),
      FAILURES.map(([l, k]) => [l, k]),
    );
    failed.forEach(({ message }, i) => assert.match(message, FAILURES[i]![2]));
    const { pictures: drawn, failed: count, exit } = events.at(-1);
    assert.deepEqual([drawn, count, exit], [3, 6, 1]);
  }));

Deno.test("latent generate ends without a word when its reader has gone", () =>
  inFolder(async (folder) => {
    const { out, errors } = await shell(
      'latent generate "a fox" $SMALL --json -o x.png | head -n 1; echo "${PIPESTATUS[0]}"',
      folder,
    );
    assert.match(out, /^\{"v":1,"event":"start".*\}\n141\n$/);
    assert.equal(errors, "");
    assert.deepEqual(names(folder), []);
  }));

Deno.test("latent generate tells in one line that standard output takes nothing more", () =>
  inFolder(async (folder) => {
    const { code, errors } = await shell("latent generate fox $SMALL --json > /dev/full", folder);
    assert.equal(code, 1);
    assert.match(errors, /^latent: Cannot write to standard output: No space left.*\n$/);
  }));

Deno.test("latent generate leaves no half picture where files cannot grow", () =>
  inFolder(async (folder) => {
    const { code, errors } = await shell(
      `trap '' XFSZ; ulimit -f 4; latent generate fox $SMALL -o x.png -q`,
      folder,
    );
    assert.equal(code, 1);
    assert.match(errors, /^latent: Cannot save x\.png: File too large.*\n$/);
    assert.deepEqual(names(folder), []);
  }));
