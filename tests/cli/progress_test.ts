/** Progress as text, and on real terminals of many widths. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { barLine, byteSize, cut, duration } from "../../cli/progress_bar.ts";
import { reporterOf } from "../../cli/reporter.ts";
import { inFolder, output, printed, shell } from "./process.ts";

const STEPS = { name: "denoising", done: 12, total: 25 };
const BYTES = { name: "fetching", done: 1.2e9, total: 4.27e9, unit: "bytes" } as const;

Deno.test("barLine() says rate and time left in the unit of the work", () => {
  assert.equal(
    barLine(STEPS, { from: 2, seconds: 13 }),
    "denoising ━━━━━━━━━━━━──────────── 12/25  1.3 s/step  17 s left",
  );
  assert.equal(
    barLine({ ...STEPS, unit: "tiles" }, { from: 2, seconds: 5 }),
    "denoising ━━━━━━━━━━━━──────────── 12/25  2.0 tiles/s  7 s left",
  );
  assert.equal(
    barLine(BYTES, { from: 0.2e9, seconds: 40 }),
    "fetching ━━━━━━━───────────────── 1.2/4.3 GB  25.0 MB/s  2 min 3 s left",
  );
});

Deno.test("barLine() counts what an earlier run fetched out of the rate, and knows none at first", () => {
  assert.equal(
    barLine(BYTES, { from: 1.2e9, seconds: 0 }),
    "fetching ━━━━━━━───────────────── 1.2/4.3 GB",
  );
});

Deno.test("barLine() adds what comes after to the time left", () => {
  assert.match(barLine({ ...STEPS, after: 100 }, { from: 2, seconds: 10 }), / 1 min 53 s left$/);
});

Deno.test("barLine() keeps within any width, and gives up the least first", () => {
  const pace = { from: 2, seconds: 13 };
  for (let columns = 1; columns < 100; columns++) {
    for (const work of [STEPS, BYTES, { ...STEPS, name: "a name as long as a path may be" }]) {
      const line = barLine(work, pace, columns);
      const least = work === BYTES ? "1.2/4.3 GB".length : "12/25".length;
      assert.ok([...line].length <= Math.max(columns, least), `${columns}: ${line}`);
    }
  }
  assert.equal(barLine(STEPS, pace, 40), "denoising ━━━━━━─────── 12/25  17 s left");
  assert.equal(barLine(STEPS, pace, 24), "denoising ━━━━──── 12/25");
  assert.equal(barLine(STEPS, pace, 20), "denoising ━━── 12/25");
  assert.equal(barLine(STEPS, pace, 15), "denoising 12/25");
  assert.equal(barLine(STEPS, pace, 10), "den… 12/25");
});

Deno.test("byteSize(), duration() and cut() suit what they say", () => {
  assert.deepEqual([0, 999, 1e3, 13.94e6, 4.265e9].map(byteSize), [
    ...["0 B", "999 B", "1.0 KB", "13.9 MB", "4.26 GB"],
  ]);
  assert.deepEqual([0.4, 59.4, 200, 7500].map(duration), [
    ...["0 s", "59 s", "3 min 20 s", "2 h 5 min"],
  ]);
  assert.deepEqual([cut("picture", 7), cut("picture", 4), cut("picture", 0)], [
    "picture",
    "pic…",
    "",
  ]);
});

Deno.test("the events tell of a download at its start and end, and not of every piece", async () => {
  const text = await printed(() => {
    const reporter = reporterOf({ json: true });
    for (let done = 0; done <= 100; done++) {
      reporter.progress({ name: "fetching", done, total: 100, unit: "bytes" });
    }
    return Promise.resolve(0);
  });
  const events = text.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ event, name, done, total, unit }) => [event, name, done, total, unit]),
    [
      ["progress", "fetching", 0, 100, "bytes"],
      ["progress", "fetching", 100, 100, "bytes"],
    ],
  );
});

/** What a terminal of some width gets to see; util-linux's `script` is one. */
async function seen(folder: string, columns: number, command: string, env = ""): Promise<string> {
  const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  const latent = `${Deno.execPath()} run -A --no-check ${cli}`;
  const inner = `stty cols ${columns}; ${env} ${latent} ${command} > /dev/null`;
  return await output("script", ["-qec", inner, "/dev/null"], folder);
}

/** PNDM asks the U-Net once more than there are steps. */
const DRAW = "generate 'a red one' --steps 3 --scheduler PNDMScheduler -o x.png";

Deno.test("latent generate keeps its progress on one line of a narrow terminal", () =>
  inFolder(async (folder) => {
    for (const columns of [20, 80]) {
      const text = await seen(folder, columns, DRAW, "TERM=xterm");
      const redrawn = text.split(/\r(?!\n)/).map((part) => part.replaceAll(/\x1b\[2K|\n/g, ""));
      assert.ok(redrawn.some((part) => /denoising.* \d\/4/.test(part)), JSON.stringify(redrawn));
      for (const part of redrawn.slice(0, -1)) {
        assert.ok([...part.trimEnd()].length < columns, part);
      }
      assert.doesNotMatch(text, /\x1b\[[0-9;]*m/, "no colours, so NO_COLOR has none to take");
    }
  }));

Deno.test("latent generate writes plain lines to a terminal that cannot move its cursor", () =>
  inFolder(async (folder) => {
    const text = await seen(folder, 80, DRAW, "TERM=dumb");
    assert.doesNotMatch(text, /\x1b/);
    assert.match(text, /^denoising 4\/4/m);
  }));

Deno.test("latent generate tells of many pictures how long they take, and of none with --quiet", () =>
  inFolder(async (folder) => {
    const { errors } = await shell(
      `latent generate fox $SMALL --steps 4 --count 3 --batch 1 -o x.png`,
      folder,
    );
    assert.match(errors, /^2\/3 denoising 1\/5$/m);
    assert.match(errors, /^2\/3 denoising 5\/5 {2}\S+ (steps\/s|s\/step) {2}\d+ s left$/m);
    const quiet = await shell(`latent generate fox $SMALL -o x.png --quiet`, folder);
    assert.equal(quiet.errors, "");
  }));
